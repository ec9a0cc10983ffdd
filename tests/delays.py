"""A TCP proxy that delays what it passes on, or withholds it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Delays:
    """What the proxy does now.

    Attributes:
        answer_s: seconds by which each piece of an answer is late.
        port: where it listens.
        target: where new connections lead.
    """

    answer_s: float = 0.0
    port: int = 0
    target: int = 0
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Its address as that of a Redis."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def switch_to(self, port: int) -> None:
        """Break all connections; new ones lead to another port."""
        self.target = port
        await self._break_connections()

    async def _break_connections(self) -> None:
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def delaying_proxy(port: int) -> AsyncIterator[Delays]:
    """A proxy on loopback in front of a port there; it runs on the event loop of the test."""
    delays = Delays(target=port)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(1 << 16):
                    if is_answer and delays.answer_s:
                        await asyncio.sleep(delays.answer_s)
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.close()

    async def connect(client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", delays.target)
        except OSError:
            client_writer.close()
            return
        ways = pass_on(client_reader, writer, False), pass_on(reader, client_writer, True)
        delays._tasks |= {asyncio.create_task(way) for way in ways}

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    delays.port = server.sockets[0].getsockname()[1]
    try:
        yield delays
    finally:
        server.close()
        await delays._break_connections()
