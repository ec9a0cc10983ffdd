"""The body's size, as sent and as decompressed, checked while it arrives; what the routes read is plain."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_gateway.traffic.body import check_declared, decompress, encoding_of, too_large

from ..call import call_of

_LOOP_BYTES = 4 << 10
"""Compressed bodies up to this size are opened on the event loop; more goes to a thread."""


class BodyLayer:
    """Bounds and decompresses request bodies."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = call_of(scope).headers
        encoding = encoding_of(headers.get("content-encoding"))
        check_declared(headers.get("content-length"), self._limit)
        counted = self._count(receive)
        if encoding is not None:
            counted = _replay(await self._opened(counted, encoding), counted)
        await self.app(scope, counted, send)

    def _count(self, receive: Receive) -> Receive:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._limit:
                    raise too_large(self._limit)
            return message

        return counted

    async def _opened(self, receive: Receive, encoding: str) -> bytes:
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


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the whole body once, and then what the connection says."""
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
