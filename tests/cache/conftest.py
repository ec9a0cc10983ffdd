"""An empty Valkey, servers that behave badly, and an observer that counts."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from reward_gateway.cache import redis as module
from reward_gateway.cache.redis import RedisCache
from reward_gateway.observer import Observer

from tests.valkey import Valkey


class Heard(Observer):
    """An observer that counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.states: list[str] = []

    def cache_looked_up(self, level: str, hits: int, misses: int, seconds: float | None) -> None:
        self.counts[f"{level} lookups"] += 1
        self.counts[f"{level} calls timed"] += seconds is not None
        self.counts[f"{level} hits"] += hits
        self.counts[f"{level} misses"] += misses

    def cache_corrupt(self, entries: int) -> None:
        self.counts["corrupt"] += entries

    def cache_failed(self, operation: str, kind: str) -> None:
        self.counts[f"{operation} {kind}"] += 1

    def cache_written(self, entries: int, seconds: float) -> None:
        self.counts["written"] += entries

    def cache_dropped(self, entries: int) -> None:
        self.counts["dropped"] += entries

    def cache_breaker_changed(self, state: str) -> None:
        self.states.append(state)


@pytest.fixture
def valkey(valkey_process: Valkey) -> Valkey:
    with valkey_process.client() as client:
        client.flushall()
    return valkey_process


@pytest.fixture
def heard() -> Heard:
    return Heard()


Connect = Callable[..., RedisCache]


@pytest.fixture
async def connect(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """Makes caches on an address; they are closed after the test. No machine is too slow for their time limits."""
    monkeypatch.setattr(module, "WRITE_TIMEOUT_S", 60.0)
    made: list[RedisCache] = []

    def connect(url: str, timeout_s: float = 60.0, breaker_failures: int = 3, **options: Any) -> RedisCache:
        made.append(
            RedisCache(url, ttl_s=60, timeout_s=timeout_s, breaker_failures=breaker_failures, observer=heard, **options)
        )
        return made[-1]

    yield connect
    for cache in made:
        await cache.close()


Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def bad_server() -> AsyncIterator[Callable[[Respond], Awaitable[str]]]:
    """Starts a server that treats each connection as a test wants; gives its address."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def start(respond: Respond) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await respond(reader, writer)

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        return f"redis://127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
    for writer in writers:
        writer.close()
