"""Streams of events (SSE) to pages: a bounded number per process, which end when the gateway drains.

A stream is neither a request in flight nor one in the queue. A browser opens it anew when it ends, and is then asked
for its session again; so none lasts longer than some minutes.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reward_gateway.errors import Draining, Overloaded
from reward_gateway.traffic.drain import Drain

STREAMS = 64
"""Maximum streams of one process."""

LONGEST_S = 600.0
"""Seconds after which a stream ends, to be opened anew."""

LONGEST_WORK_S = 7200.0
"""Seconds after which a stream ends that tells of work, which ends with it."""

SILENCE_S = 15.0
"""Seconds without an event after which a comment is sent, so that no proxy closes the connection."""


class Event(NamedTuple):
    """One event: a fragment of a page, for the elements that ``sse-swap`` its name."""

    name: str
    html: str

    def encode(self) -> bytes:
        lines = "".join(f"data: {line}\n" for line in self.html.split("\n"))
        return f"event: {self.name}\n{lines}\n".encode()


Events = AsyncGenerator[Event, None]


class EventStreams:
    """The open streams of one process.

    Args:
        most: maximum number of them.
    """

    def __init__(self, drain: Drain, most: int = STREAMS) -> None:
        self.open = 0
        self.drain = drain
        self.most = most

    def answer(self, events: Events, longest_s: float | None = None) -> Response:
        """The response that sends events as they come. Raises Overloaded, when it is sent, if too many are open."""
        return _StreamResponse(self, events, LONGEST_S if longest_s is None else longest_s)


class _StreamResponse(Response):
    media_type = "text/event-stream"

    def __init__(self, streams: EventStreams, events: Events, longest_s: float) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._streams, self._events, self._longest_s = streams, events, longest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        streams = self._streams
        async with aclosing(self._events) as events:
            if streams.open >= streams.most:
                raise Overloaded(f"{streams.most} pages of this process are live already: close one")
            streams.open += 1
            try:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await self._send_events(events, send)
                await send({"type": "http.response.body", "body": b""})
            finally:
                streams.open -= 1

    async def _send_events(self, events: Events, send: Send) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._longest_s
        coming: asyncio.Future[Event | None] = asyncio.ensure_future(anext(events, None))
        try:
            while loop.time() < ends_at:
                try:
                    await self._streams.drain.unless_begun(asyncio.wait({coming}, timeout=SILENCE_S))
                except Draining:
                    return
                body = b": \n\n"
                if coming.done():
                    event = coming.result()
                    if event is None:
                        return
                    body = event.encode()
                    coming = asyncio.ensure_future(anext(events, None))
                await send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            coming.cancel()
            await asyncio.wait({coming})
