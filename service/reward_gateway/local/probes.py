"""Readiness probes, one per kind of server, each with a timeout of one second."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

TIMEOUT_S = 1.0
_SERVER_READY = "/inference.GRPCInferenceService/ServerReady"
_IS_READY = b"\x08\x01"  # a ServerReadyResponse whose first field, `ready`, is true


def http_ok(host: str, port: int, path: str, *, tls: bool = False) -> Callable[[], Awaitable[bool]]:
    """A probe that succeeds when ``GET path`` is answered 200; with ``tls``, whatever the certificate says."""
    unverified = ssl._create_unverified_context() if tls else None  # noqa: S323 - a process of our own
    name = f"[{host}]" if ":" in host else host
    request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()

    async def is_ok() -> bool:
        return (await _first_line(asyncio.open_connection(host, port, ssl=unverified), request)).split()[1:2] == [
            b"200"
        ]

    return is_ok


def redis_ok(path: Path) -> Callable[[], Awaitable[bool]]:
    """A probe that succeeds when ``PING`` is answered PONG on the Unix socket ``path``."""

    async def is_ok() -> bool:
        return await _first_line(asyncio.open_unix_connection(path), b"PING\r\n") == b"+PONG\r\n"

    return is_ok


def triton_ok(address: str) -> Callable[[], Awaitable[bool]]:
    """A probe that succeeds when Triton answers over gRPC that it is ready."""

    async def is_ok() -> bool:
        import grpc  # here: a stack whose Triton is elsewhere does without it

        async with grpc.aio.insecure_channel(address) as channel:
            try:
                answer = await channel.unary_unary(_SERVER_READY, bytes, bytes)(b"", timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError:
                return False
        return bool(answer == _IS_READY)

    return is_ok


async def _first_line(opening: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]], request: bytes) -> bytes:
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await opening
        try:
            writer.write(request)
            return await reader.readline()
        finally:
            writer.close()
