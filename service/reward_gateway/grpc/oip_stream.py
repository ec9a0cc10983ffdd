"""``ModelStreamInfer``: requests of one stream are processed concurrently and answered in order.

A request that fails is answered with its error, and the stream goes on. What waits is bounded: a caller that
sends faster than it is answered is slowed down by the transport.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2 as pb

from reward_gateway.errors import Draining, GatewayError
from reward_gateway.traffic.guard import Traffic

from .calls import Call

log = structlog.get_logger(__name__)

AT_ONCE = 16
"""Maximum concurrent requests of one stream."""

Answers = Callable[[bytes, int, Call], AsyncIterator[Any]]


class InferStream:
    """One call of ``ModelStreamInfer``.

    Args:
        answers: the messages that answer one request, given its bytes and its place in the stream. Raises GatewayError.
        traffic: holds the bytes of requests until they are answered; its drain ends the stream when it begins, once
            what was sent before is answered.
    """

    def __init__(self, answers: Answers, traffic: Traffic, call: Call) -> None:
        self._answers = answers
        self._traffic = traffic
        self._call = call
        self._waiting: asyncio.Queue[asyncio.Task[list[bytes]] | GatewayError | None] = asyncio.Queue(AT_ONCE)
        self._tasks: set[asyncio.Task[list[bytes]]] = set()
        self._receiving = self._over = False

    async def answer_requests(self, requests: AsyncIterator[bytes]) -> None:
        """Answer requests until the caller closes its side and has every response.

        Raises:
            Draining: the gateway shuts down.
        """
        reader = asyncio.create_task(self._read_requests(requests))
        drain = asyncio.create_task(self._queue_drain())
        try:
            while (task := await self._waiting.get()) is not None:
                if isinstance(task, GatewayError):
                    raise task
                for message in await task:
                    await self._call.context.write(message)
        finally:
            self._over = True
            drain.cancel()
            if not self._receiving:  # a receive that is under way ends by itself when the call does
                reader.cancel()
            for task in self._tasks:
                task.cancel()

    async def _queue_drain(self) -> None:
        await self._traffic.drain.wait_begun()
        await self._waiting.put(Draining("this gateway is shutting down; send what is not answered to another one"))

    async def _read_requests(self, requests: AsyncIterator[bytes]) -> None:
        place = 0
        try:
            while not self._over:
                self._receiving = True
                raw = await anext(requests, None)
                self._receiving = False
                if raw is None:
                    break
                task = asyncio.create_task(self._answer_request(raw, place))
                place += 1
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                await self._waiting.put(task)
            await self._waiting.put(None)
        except grpc.aio.BaseError:
            return  # the call is over

    async def _answer_request(self, raw: bytes, place: int) -> list[bytes]:
        try:
            with self._traffic.bodies.reserve(self._call.sender, len(raw)):
                return [message.SerializeToString() async for message in self._answers(raw, place, self._call)]
        except GatewayError as error:
            message = error.message
        except Exception as error:
            log.error("call failed", method="ModelStreamInfer", exc_info=error)
            message = "internal error; the gateway's log has the details"
        failed = pb.ModelInferResponse(id=_read_id(raw))
        return [pb.ModelStreamInferResponse(error_message=message, infer_response=failed).SerializeToString()]


def _read_id(raw: bytes) -> str:
    """The id of a request that failed, where it can be read, so that its caller knows which it was."""
    try:
        return str(pb.ModelInferRequest.FromString(raw).id)
    except DecodeError:
        return ""
