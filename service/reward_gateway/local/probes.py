"""Readiness probes, one per kind of server, each with a timeout of one second."""

import asyncio
from collections.abc import Awaitable, Callable

TIMEOUT_S = 1.0


def http_ok(host: str, port: int, path: str) -> Callable[[], Awaitable[bool]]:
    """A probe that succeeds when ``GET path`` is answered 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    return _line_probe(host, port, request, lambda line: line.split()[1:2] == [b"200"])


def redis_ok(host: str, port: int) -> Callable[[], Awaitable[bool]]:
    """A probe that succeeds when ``PING`` is answered PONG."""
    return _line_probe(host, port, b"PING\r\n", lambda line: line == b"+PONG\r\n")


def _line_probe(
    host: str, port: int, request: bytes, accepts: Callable[[bytes], bool]
) -> Callable[[], Awaitable[bool]]:
    async def ask_server() -> bool:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                return accepts(await reader.readline())
            finally:
                writer.close()

    return ask_server
