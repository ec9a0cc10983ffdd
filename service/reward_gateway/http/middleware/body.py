"""The body's size, as sent and as decompressed, checked while it arrives; what the routes read is plain.

A body has until the request's deadline to arrive, so that a slow client does not hold a slot for long.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_gateway.errors import DeadlineExceeded
from reward_gateway.settings import Settings
from reward_gateway.traffic.body import check_declared, decompress, encoding_of, too_large
from reward_gateway.traffic.deadlines import deadline_at

from ..call import call_of

_LOOP_BYTES = 4 << 10
"""Compressed bodies up to this size are opened on the event loop; more goes to a thread."""


class BodyLayer:
    """Bounds and decompresses request bodies."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings
        self._limit = settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call = call_of(scope)
        encoding = encoding_of(call.headers.get("content-encoding"))
        check_declared(call.headers.get("content-length"), self._limit)
        receive_body = self._limit_body(receive, deadline_at(call.arrived_at, self._settings, call.deadline_s))
        if encoding is not None:
            receive_body = _replay_body(await self._decompress_body(receive_body, encoding), receive_body)
        await self.app(scope, receive_body, send)

    def _limit_body(self, receive: Receive, deadline: float) -> Receive:
        size, complete = 0, False

        async def receive_counted() -> Message:
            nonlocal size, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise DeadlineExceeded("the deadline passed before the whole body had arrived") from None
            size += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if size > self._limit:
                raise too_large(self._limit)
            return message

        return receive_counted

    async def _decompress_body(self, receive: Receive, encoding: str) -> bytes:
        chunks: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        data = b"".join(chunks)
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
