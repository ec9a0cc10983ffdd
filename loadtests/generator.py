"""A cheap load generator: prepared requests over kept-alive connections, closed or open loop.

The generator shares the machine with what it measures, so it only writes and reads bytes. Latency in the open loop
counts from the time at which a request was due, so that a stall shows in every request that it delayed.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Answers:
    """Statuses and latencies of a run."""

    seconds: float
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    last_body: bytes = b""

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    @property
    def ok(self) -> int:
        return self.statuses.get(200, 0)

    def quantile(self, q: float) -> float:
        """The latency in seconds at quantile ``q``."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def request(url: str, body: bytes) -> bytes:
    """A whole HTTP/1.1 request as bytes."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    head = (f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json")
    return "\r\n".join((*head, f"Content-Length: {len(body)}", "", "")).encode() + body


class Connection:
    """One kept-alive connection."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, prepared: bytes) -> tuple[int, bytes]:
        """Status and body of one request."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                self._parts.hostname, self._parts.port, limit=1 << 26
            )
        self._writer.write(prepared)
        await self._writer.drain()
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, fields = int(head[9:12]), head.lower().split(b"\r\n")
        if b"transfer-encoding: chunked" in fields:
            return status, await _read_chunks(self._reader)
        length = next(int(line[15:]) for line in fields if line.startswith(b"content-length:"))
        return status, await self._reader.readexactly(length)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A body of unknown length: chunks, each after its length, up to an empty one."""
    body = b""
    while length := int(await reader.readline(), 16):
        body += (await reader.readexactly(length + 2))[:-2]
    await reader.readline()
    return body


async def closed_loop(url: str, prepared: Sequence[bytes], concurrency: int) -> Answers:
    """Send all requests over ``concurrency`` connections as fast as they are answered."""
    answers = Answers(0.0)
    waiting = list(reversed(prepared))

    async def work() -> None:
        connection = Connection(url)
        while waiting:
            began = time.perf_counter()
            status, answers.last_body = await connection.send(waiting.pop())
            answers.latencies.append(time.perf_counter() - began)
            answers.statuses[status] = answers.statuses.get(status, 0) + 1
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(min(concurrency, len(prepared)))))
    answers.seconds = time.perf_counter() - started
    return answers


async def open_loop(url: str, prepared: Sequence[bytes], rate: float) -> Answers:
    """Send requests at a constant rate, whether or not earlier ones are answered."""
    answers = Answers(0.0)
    idle: list[Connection] = []

    async def one(body: bytes, due: float) -> None:
        connection = idle.pop() if idle else Connection(url)
        status, answers.last_body = await connection.send(body)
        answers.latencies.append(time.perf_counter() - due)
        answers.statuses[status] = answers.statuses.get(status, 0) + 1
        idle.append(connection)

    started = time.perf_counter()
    tasks = []
    for i, body in enumerate(prepared):
        due = started + i / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(body, due)))
    await asyncio.gather(*tasks)
    answers.seconds = time.perf_counter() - started
    for connection in idle:
        connection.close()
    return answers
