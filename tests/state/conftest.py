"""State is specified once and tried in both homes: in this process, and in a real Valkey."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from reward_gateway.state.store import StateStore

from tests.valkey import Valkey


@pytest.fixture(scope="session")
def redis_url(valkey_process: Valkey) -> str:
    """The address of a Valkey of our own."""
    return valkey_process.url


@pytest.fixture(params=["in_process", "redis"])
async def store(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[StateStore]:
    """An empty store of either home."""
    if request.param == "in_process":
        yield StateStore.in_process()
        return
    url = request.getfixturevalue("redis_url")
    async with Redis.from_url(url, socket_timeout=60.0) as client:
        await client.flushdb()
    shared = StateStore.connect(url, timeout_s=60.0)
    yield shared
    await shared.close()
