"""State is specified once and tried in both homes: in this process, and in a real Valkey."""

import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis
from reward_gateway.local.ports import free_port
from reward_gateway.local.valkey import server
from reward_gateway.state.store import StateStore


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Valkey of our own, stopped at the end."""
    home: Path = tmp_path_factory.mktemp("valkey")
    port = free_port("127.0.0.1")
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
    process = subprocess.Popen([str(server()), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port) as client:
            for _ in range(200):
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(params=["in_process", "redis"])
async def store(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[StateStore]:
    """An empty store of either home."""
    if request.param == "in_process":
        yield StateStore.in_process()
        return
    url = request.getfixturevalue("redis_url")
    async with Redis.from_url(url) as client:
        await client.flushdb()
    shared = StateStore.connect(url)
    yield shared
    await shared.close()
