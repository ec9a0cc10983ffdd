"""Sums of a day's spending, shared by processes."""

from typing import Any

import pytest
from redis.asyncio import Redis
from reward_gateway.errors import StateUnavailable
from reward_gateway.state.spend import RedisSpend

pytestmark = pytest.mark.anyio


async def test_sums_are_shared_and_end(redis_url: str) -> None:
    first, second = RedisSpend.connect(redis_url), RedisSpend.connect(redis_url)
    assert await first.add("j/2026-01-01", 0.0) == 0.0
    await first.add("j/2026-01-01", 0.25)
    assert await second.add("j/2026-01-01", 0.5) == 0.75
    assert await second.add("j/2026-01-02", 0.0) == 0.0
    client: Any = Redis.from_url(redis_url)
    assert 0 < await client.pttl("reward_gateway:{state}:spend:j/2026-01-01") <= 2 * 86_400_000
    await client.aclose()
    await first.close()
    await second.close()


async def test_a_store_that_is_away_is_said_to_be() -> None:
    spend = RedisSpend.connect("redis://127.0.0.1:9")
    with pytest.raises(StateUnavailable):
        await spend.add("j/2026-01-01", 1.0)
    await spend.close()
