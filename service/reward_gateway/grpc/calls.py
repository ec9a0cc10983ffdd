"""What every call has around it: the key, the drain, parsing, errors as statuses, a line in the metrics.

Requests reach the service as bytes, so that one which is no message is the caller's error with the rest
of the table, and not a fault of the server.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from time import perf_counter
from typing import Any, NoReturn, Protocol, TypeVar

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from reward_gateway.errors import GatewayError, InternalError, MalformedBody, Unauthenticated
from reward_gateway.traffic.guard import Traffic
from reward_gateway.traffic.keys import token_of

from .failures import status_code, trailing_metadata

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=Message)
R = TypeVar("R")
Context = grpc.aio.ServicerContext[bytes, bytes]
Unary = Callable[[bytes, Context], Coroutine[Any, Any, Message]]
Stream = Callable[[AsyncIterator[bytes], Context], Coroutine[Any, Any, None]]


class CallObserver(Protocol):
    """Who counts the calls."""

    def request(self, protocol: str, route: str, status: str, seconds: float) -> None: ...

    def unauthorized(self, reason: str) -> None: ...


class Calls:
    """Wraps the methods of a service into handlers."""

    def __init__(self, traffic: Traffic, observer: CallObserver | None = None) -> None:
        self._traffic = traffic
        self._observer = observer

    def unary(self, name: str, answer: Unary) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """A handler of one message in, one out."""

        async def handle(request: bytes, context: Context) -> bytes | None:
            message = await self._guarded(name, context, answer(request, context))
            return None if message is None else message.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(handle)

    def stream(self, name: str, answer: Stream) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """A handler of messages in, messages out; ``answer`` writes to the context itself."""

        async def handle(requests: AsyncIterator[bytes], context: Context) -> None:
            await self._guarded(name, context, answer(requests, context))

        return grpc.stream_stream_rpc_method_handler(handle)

    async def _guarded(self, name: str, context: Context, work: Coroutine[Any, Any, R]) -> R | None:
        started, status = perf_counter(), "CANCELLED"
        try:
            self._admit(context)
            result = await work
            status = "OK"
        except GatewayError as error:
            status = error.grpc_status
            await self._abort(context, error)
        except (asyncio.CancelledError, grpc.aio.BaseError):  # the caller has gone
            raise
        except Exception as error:
            status = InternalError.grpc_status
            log.error("call failed", method=name, exc_info=error)
            await self._abort(context, InternalError("a fault of the server; try again, and tell its operator"))
        else:
            return result
        finally:
            work.close()  # a refused call never starts
            if self._observer is not None:
                self._observer.request("grpc", name, status, perf_counter() - started)

    def _admit(self, context: Context) -> None:
        self._traffic.drain.check()
        metadata = dict(context.invocation_metadata() or ())
        try:
            self._traffic.identify(token_of(_text(metadata, "authorization"), _text(metadata, "x-api-key")))
        except Unauthenticated:
            if self._observer is not None:
                self._observer.unauthorized("unauthenticated")
            raise

    @staticmethod
    async def _abort(context: Context, error: GatewayError) -> NoReturn:
        await context.abort(status_code(error), error.message, trailing_metadata(error))


def parse(kind: type[M], request: bytes) -> M:
    """The message in the bytes. Raises MalformedBody."""
    try:
        return kind.FromString(request)
    except DecodeError:
        raise MalformedBody(f"the bytes are no {kind.DESCRIPTOR.full_name}") from None


def _text(metadata: dict[str, Any], key: str) -> str | None:
    value = metadata.get(key)
    return value if isinstance(value, str) else None
