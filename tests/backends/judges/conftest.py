"""A server of a few lines that speaks chat completions, and is told how to answer: no judge model is to be had here."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.clock import until


def words(text: Any) -> Response:
    """A chat completion that says this."""
    return JSONResponse({"choices": [{"message": {"role": "assistant", "content": text}}]})


@dataclass
class FakeJudge:
    """Answers by ``reply``, which gets the request's body; counts what reaches it."""

    url: str = ""
    reply: Callable[[dict[str, Any]], Response | str] = lambda body: "YES"
    slow_s: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    """Where questions were sent, with the query."""
    running: int = 0
    most_running: int = 0
    together: int = 0
    """Nothing is answered until so many questions were under way at once."""

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.paths.append(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.slow_s)
            while self.most_running < self.together:
                await asyncio.sleep(0.002)
            said = self.reply(body)
        finally:
            self.running -= 1
        return said if isinstance(said, Response) else words(said)

    @property
    def questions(self) -> list[str]:
        """The last message of each request, in the order of their arrival."""
        return [body["messages"][-1]["content"] for body in self.bodies]

    def forget(self) -> None:
        """As if nothing had reached it."""
        self.bodies, self.headers, self.paths = [], [], []


@asynccontextmanager
async def serve_judge() -> AsyncIterator[FakeJudge]:
    """A fake judge behind a real server on a free port, in a thread of its own."""
    judge = FakeJudge()
    app = Starlette(routes=[Route("/{_:path}", judge.answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    await until(lambda: server.started)
    judge.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield judge
    finally:
        server.should_exit = server.force_exit = True
        thread.join(5)


@pytest.fixture
async def fake() -> AsyncIterator[FakeJudge]:
    """A fake judge of the test's own."""
    async with serve_judge() as judge:
        yield judge


@pytest.fixture
async def cut_once() -> AsyncIterator[str]:
    """The address of a server that closes its first connection in the middle of an answer."""
    whole = b'{"choices": [{"message": {"content": "YES"}}]}'
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(whole)}\r\nconnection: close\r\n\r\n".encode()
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        seen += 1
        writer.write(head + (whole[:9] if seen == 1 else whole))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()
