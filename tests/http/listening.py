"""The application on a free port, behind the server of a running gateway, and a client that writes bytes."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import wsproto
import wsproto.connection
import wsproto.events
from reward_gateway.http.connection_places import ConnectionPlaces
from reward_gateway.http.server import HttpServer

from tests.clock import until


@dataclass
class Listening:
    """A server that listens.

    Attributes:
        running: ends when the server has stopped.
    """

    port: int
    server: HttpServer
    running: "asyncio.Task[None]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def listening(served: Any, places: int | None = None, send_buffer: int | None = None) -> AsyncIterator[Listening]:
    """Serve on a free port.

    Args:
        places: maximum connections at work.
        send_buffer: bytes that the kernel keeps of what a client does not read.
    """
    traffic, metrics = served.traffic, served.telemetry.metrics
    counted = ConnectionPlaces(places, metrics) if places is not None else None
    with socket.create_server(("127.0.0.1", 0)) as bound:
        if send_buffer is not None:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        server = HttpServer(served.app, served.app.state.dependencies.settings, traffic.drain, metrics, counted)
        server.capture_signals = Unsignalled  # type: ignore[method-assign, assignment]
        running = asyncio.create_task(server.serve([bound]))
        await until(lambda: server.started)
        try:
            yield Listening(bound.getsockname()[1], server, running)
        finally:
            server.should_exit = True
            await running


class Unsignalled:
    """Signals stay those of the tests."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Status, headers and JSON of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, json.loads(body)

    async def closed(self) -> bytes:
        """What comes until the server closes; ConnectionError if it resets the connection."""
        return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


async def connect(to: Listening) -> Client:
    return await connect_to(to.port)


async def connect_to(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port))


def post(body: bytes = b"", *headers: str, path: str = "/v1/score", length: int | None = None) -> bytes:
    """The bytes of a request; ``length`` is declared instead of that of the body."""
    size = len(body) if length is None else length
    lines = [
        f"POST {path} HTTP/1.1",
        "host: localhost",
        "content-type: application/json",
        f"content-length: {size}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


SCORE = json.dumps({"samples": [{"response": "a"}]}).encode()


def closing_code(answer: tuple[int, dict[str, str], dict[str, Any]]) -> tuple[int, str]:
    """Status and error code of an answer after which the connection is closed, as it says."""
    status, headers, body = answer
    assert headers["connection"] == "close"
    return status, body["error"]["code"]


@dataclass
class WebSocketClient(Client):
    """One connection whose handshake was accepted; it can send what no client would."""

    def __post_init__(self) -> None:
        self._protocol = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)
        self._messages: list[Any] = []

    async def send_message(self, message: Any) -> None:
        """Send one message of text: a text as it is, anything else as JSON."""
        text = message if isinstance(message, str) else json.dumps(message)
        await self.send(self._protocol.send(wsproto.events.TextMessage(text)))

    async def ask(self, message: Any) -> Any:
        """The answer to a message, as JSON; or the code with which the WebSocket was closed."""
        await self.send_message(message)
        return await self.next_message()

    async def next_message(self) -> Any:
        """What comes next: JSON, or the code with which the WebSocket is closed, 1006 if it only ends."""
        text = ""
        while True:
            for event in self._events():
                if isinstance(event, wsproto.events.CloseConnection):
                    return event.code
                if isinstance(event, wsproto.events.TextMessage):
                    text += event.data
                    if event.message_finished:
                        return json.loads(text)
            if not (data := await self.reader.read(65_536)):
                return 1006
            self._protocol.receive_data(data)

    def _events(self) -> Iterator[Any]:
        """One event after the other, of which the rest is kept."""
        self._messages += self._protocol.events()
        while self._messages:
            yield self._messages.pop(0)


UPGRADE = ("upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13")
KEY = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="


def handshake(path: str, *headers: str, host: str = "localhost", method: str = "GET") -> bytes:
    """The bytes of a handshake."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"host: {host}", *UPGRADE, KEY, *headers, "", ""]).encode()


async def open_websocket(port: int, path: str, *headers: str, tls: ssl.SSLContext | None = None) -> WebSocketClient:
    """A WebSocket that the server accepts."""
    client = WebSocketClient(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))
    await client.send(handshake(path, *headers))
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # of the key, as in RFC 6455
    return client


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True) -> bytes:
    """The bytes of one frame, under a mask of zeros."""
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    mask = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 1 << 16:
        head += bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask | 127]) + size.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + payload


async def closed_for(served: Any, reason: str) -> float:
    """How many connections were closed for a reason."""
    value: float = await served.metric(f'reward_gateway_connections_closed_total{{reason="{reason}"}}')
    return value
