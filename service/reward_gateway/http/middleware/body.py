"""The request body: read whole, within its limits, before the request takes its place in the queue.

What cannot be answered is refused at the headers: a body that is too large, a queue that is too long, a process that
holds too many bytes already. A body that arrives too slowly is refused as well. The routes get it decompressed.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_gateway.errors import DeadlineExceeded, SlowRequest
from reward_gateway.settings import Settings
from reward_gateway.traffic.body import declared_size, decompress, encoding_of, too_large
from reward_gateway.traffic.body_budget import Reservation
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.guard import Traffic

from ..call import Call, call_of, caller_of
from .context import ClientGone

_LOOP_BYTES = 4 << 10
"""Compressed bodies up to this size are opened on the event loop; more goes to a thread."""


class BodyLayer:
    """Reads, bounds and decompresses request bodies."""

    def __init__(self, app: ASGIApp, settings: Settings, traffic: Traffic) -> None:
        self.app = app
        self._settings = settings
        self._limit = settings.max_body_bytes
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (call := call_of(scope)).open:
            await self.app(scope, receive, send)
            return
        encoding = encoding_of(call.headers.get("content-encoding"))
        size = declared_size(call.headers.get("content-length"), self._limit)
        self._traffic.admission.check_wait(None if call.deadline_s is None else call.arrived_at + call.deadline_s)
        with self._traffic.bodies.reserve(caller_of(call, scope), size) as reservation:
            body = await self._read_body(receive, call, reservation)
            if encoding is not None and body:
                body = await self._decompress(body, encoding)
                reservation.grow(len(body))
            await self.app(scope, _replay_body(body, receive), send)

    async def _read_body(self, receive: Receive, call: Call, reservation: Reservation) -> bytes:
        deadline = deadline_at(call.arrived_at, self._settings, call.deadline_s)
        began = asyncio.get_running_loop().time()
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            slowest = began + self._settings.body_grace_s + size / self._settings.min_body_rate
            try:
                async with asyncio.timeout_at(min(deadline, slowest)):
                    message = await receive()
            except TimeoutError:
                if slowest < deadline:
                    raise SlowRequest(
                        f"the body arrived at less than {self._settings.min_body_rate:g} bytes per second"
                    ) from None
                raise DeadlineExceeded("the deadline passed before the whole body had arrived") from None
            if message["type"] != "http.request":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._limit:
                raise too_large(self._limit)
            reservation.grow(size)
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)

    async def _decompress(self, data: bytes, encoding: str) -> bytes:
        if len(data) <= _LOOP_BYTES:
            return decompress(data, encoding, self._limit)
        return await asyncio.to_thread(decompress, data, encoding, self._limit)


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the whole body once, and then what the connection says."""
    sent = False

    async def receive_replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_replayed
