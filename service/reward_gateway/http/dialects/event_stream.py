"""Server-sent events whose end is a result that takes its time: tasks, as OpenReward's clients read them.

A client hears ``task_id``, then the result as ``chunk`` events and a last one, ``end``; or ``error``. A comment every
few seconds keeps the connection open, which clients give up after 30 seconds of silence.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reward_gateway.errors import GatewayError, Unscorable

EVENT_STREAM = "text/event-stream"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
SILENCE_S = 10.0
"""Seconds without an event after which the stream begins, and between two comments."""
CHUNK = 4096
"""Characters of a result in one event."""


async def stream_task(task_id: str, work: Coroutine[Any, Any, Any]) -> Response:
    """The response to a task.

    A task that fails for the server's cause before the stream begins is an ordinary HTTP error, which clients repeat.

    Args:
        work: gives the result, as JSON. Unscorable ends the stream with an error.

    Raises:
        GatewayError: raised by ``work`` before the stream began.
    """
    task = asyncio.ensure_future(work)
    begins = False
    try:
        await asyncio.wait({task}, timeout=SILENCE_S)
        if task.done():
            try:
                return finished_stream(encode_result(task_id, task.result()))
            except Unscorable as error:
                return finished_stream([encode_event("task_id", task_id), encode_event("error", error.message)])
        begins = True
        return _EventStream(_follow(task_id, task))
    finally:
        if not begins:
            task.cancel()


def finished_stream(events: "Iterator[bytes] | list[bytes]") -> Response:
    """A stream whose events are known."""
    return Response(b"".join(events), headers=HEADERS, media_type=EVENT_STREAM)


def encode_event(name: str, text: str) -> bytes:
    """One event. The text has no line breaks."""
    return f"event: {name}\ndata: {' '.join(text.splitlines())}\n\n".encode()


def encode_result(task_id: str, result: Any) -> Iterator[bytes]:
    """The events of a result. No chunk begins with a space, which clients would take for the event's own."""
    yield encode_event("task_id", task_id)
    text = orjson.dumps(result).decode()
    start = 0
    while start < len(text):
        end = start + CHUNK
        while end < len(text) and text[end].isspace():
            end += 1
        yield f"event: {'chunk' if end < len(text) else 'end'}\ndata: {text[start:end]}\n\n".encode()
        start = end


async def _follow(task_id: str, task: "asyncio.Future[Any]") -> AsyncIterator[bytes]:
    """The events of a task that is under way."""
    try:
        yield encode_event("task_id", task_id)
        while not task.done():
            yield b": still at work\n\n"
            await asyncio.wait({task}, timeout=SILENCE_S)
        events = list(encode_result(task_id, task.result()))[1:]
    except GatewayError as error:
        events = [encode_event("error", error.message)]
    finally:
        task.cancel()
    for event in events:
        yield event


class _EventStream(Response):
    """A response that is sent event by event; the disconnect layer cancels it when its client is gone."""

    media_type = EVENT_STREAM

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
