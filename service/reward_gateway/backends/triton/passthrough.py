"""Passes calls of the Open Inference Protocol through to Triton unchanged."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import grpc
from google.protobuf.message import Message

from reward_gateway.backends.triton.failures import clean_message, is_queue_full
from reward_gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InternalError,
    InvalidRequest,
    ModelUnavailable,
    NotFound,
    Overloaded,
)

M = TypeVar("M", bound=Message)


class Passthrough:
    """Forwards messages to a server and returns its answers.

    Args:
        stub: a ``GRPCInferenceServiceStub``.
    """

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def handles(self, name: str) -> bool:
        """Whether a model is on a server that speaks the protocol: any name may be one of this server's."""
        return True

    async def call(self, method: str, request: Message, answer: type[M], deadline: float) -> M:
        """Forward one call.

        Args:
            method: name of the RPC, for example ``ModelInfer``.
            answer: type of the response message.
            deadline: time on the running loop's clock.

        Raises:
            GatewayError: the server's error, as the corresponding class.
        """
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            return cast("M", await getattr(self._stub, method)(request, timeout=left))
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from None

    async def stream(self, request: Message, deadline: float) -> AsyncIterator[Any]:
        """Yield the ``ModelStreamInferResponse`` messages for one request. Raises GatewayError."""
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            async for message in self._stub.ModelStreamInfer(iter((request,)), timeout=left):
                yield message
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from None


class Forwards(Protocol):
    """Forwards messages; see :class:`Passthrough`."""

    def handles(self, name: str) -> bool: ...

    async def call(self, method: str, request: Message, answer: type[M], deadline: float) -> M: ...

    def stream(self, request: Message, deadline: float) -> AsyncIterator[Any]: ...


@runtime_checkable
class PassesThrough(Protocol):
    """A model server that accepts calls of the Open Inference Protocol."""

    @property
    def passthrough(self) -> Forwards: ...


def translate_error(error: grpc.aio.AioRpcError) -> GatewayError:
    """A server's error as a gateway error, without paths, traces and anything that may quote a sample."""
    words = error.details() or ""
    if is_queue_full(words):
        return Overloaded("the model's queue is full")
    match error.code():
        case grpc.StatusCode.NOT_FOUND:
            return NotFound(clean_message(words))
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.UNIMPLEMENTED | grpc.StatusCode.OUT_OF_RANGE:
            return InvalidRequest(clean_message(words))
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded("the deadline passed before the model answered")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return ModelUnavailable("the model is not ready on the model server")
        case _:
            return InternalError(f"the model server failed: {clean_message(words)}")
