"""A WebSocket to an application in this process, as an ASGI server would open it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from reward_gateway.tasks import end_task

from tests.clock import LONGEST_WAIT_S

STATE = {"type": "state"}
RESET = {"type": "reset", "data": {"task": {"prompt": "p"}}}
STEP = {"type": "step", "data": {"answer": "abc"}}


@dataclass
class WebSocket:
    """The client's end.

    Attributes:
        status: of the answer to the handshake, 101 for one that was accepted.
        refusal: the JSON of one that was not.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    refusal: Any = None
    _to_app: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    _from_app: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)

    async def send(self, message: Any) -> None:
        """Send a message: text as it is, bytes as a binary one, anything else as JSON."""
        kind = "bytes" if isinstance(message, bytes) else "text"
        content = message if isinstance(message, str | bytes) else json.dumps(message)
        await self._to_app.put({"type": "websocket.receive", kind: content})

    async def next(self) -> Any:
        """The next message of the application, as JSON; the code that it closed with."""
        async with asyncio.timeout(LONGEST_WAIT_S):
            message = await self._from_app.get()
        if message["type"] == "websocket.close":
            return message["code"]
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def ask(self, message: Any) -> Any:
        """The answer to a message."""
        await self.send(message)
        return await self.next()

    async def leave(self) -> None:
        """Close the connection."""
        await self._to_app.put({"type": "websocket.disconnect", "code": 1006})


@asynccontextmanager
async def websocket(app: Any, path: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[WebSocket]:
    """A WebSocket on a path, with its query; its end leaves it."""
    end = WebSocket()
    await end._to_app.put({"type": "websocket.connect"})
    raw_path, _, query = path.partition("?")
    named = {"host": "localhost:8080", "upgrade": "websocket", "connection": "Upgrade", **(headers or {})}
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()],
        "client": ("127.0.0.1", 1234),
        "server": ("127.0.0.1", 8080),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        "state": {},
    }
    running = asyncio.create_task(app(scope, end._to_app.get, end._from_app.put))
    try:
        async with asyncio.timeout(LONGEST_WAIT_S):
            await _read_handshake(end)
        yield end
        await end.leave()
        async with asyncio.timeout(LONGEST_WAIT_S):
            await running
    finally:
        await end_task(running)


async def _read_handshake(end: WebSocket) -> None:
    first = await end._from_app.get()
    end.headers = {name.decode(): value.decode() for name, value in first.get("headers", ())}
    if first["type"] == "websocket.accept":
        end.status = 101
        return
    assert first["type"] == "websocket.http.response.start", first
    body = await end._from_app.get()
    end.status, end.refusal = first["status"], json.loads(body["body"])
