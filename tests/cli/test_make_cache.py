"""The cache that the settings ask for: its levels, its breaker, and metrics of both."""

import asyncio

import pytest
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.null import NullCache
from reward_gateway.cache.port import Entry
from reward_gateway.cache.redis import RedisCache
from reward_gateway.cache.tiered import TieredCache
from reward_gateway.cli.worker import make_cache
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry

from tests.clock import LONGEST_WAIT_S
from tests.ports import free_port

pytestmark = pytest.mark.anyio

ENTRY = Entry(b"\x00\x00\x80\x3f")


def value(telemetry: Telemetry, series: str) -> float:
    page = telemetry.metrics.render().decode().splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in page if line.startswith(f"reward_gateway_{series} ")), 0.0)


def nowhere() -> str:
    return f"redis://127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    ("url", "entries", "kind"), [("", 0, NullCache), ("", 9, MemoryCache), ("r", 0, RedisCache), ("r", 9, TieredCache)]
)
async def test_the_settings_say_which_levels_there_are(url: str, entries: int, kind: type) -> None:
    cache = make_cache(Settings(redis_url=url and nowhere(), cache_memory_entries=entries), Telemetry())
    assert type(cache) is kind
    await cache.close()


@pytest.mark.parametrize("redis", [False, True])
async def test_the_level_in_memory_is_measured(redis: bool) -> None:
    telemetry = Telemetry()
    cache = make_cache(Settings(redis_url=nowhere() if redis else "", cache_memory_entries=9), telemetry)
    cache.put_later([(b"a", ENTRY)])
    assert await cache.get_many([b"a", b"b"]) == [ENTRY, None]
    for result in ("hit", "miss"):
        assert value(telemetry, f'cache_lookups_total{{level="memory",result="{result}"}}') == 1
    await cache.close()


@pytest.mark.parametrize(("pause_s", "tried_again"), [(0.001, True), (3600.0, False)])
async def test_the_breaker_pauses_as_long_as_the_settings_say(pause_s: float, tried_again: bool) -> None:
    telemetry = Telemetry()
    states: list[str] = []
    telemetry.metrics.cache_breaker_changed = states.append  # type: ignore[method-assign,assignment]
    settings = Settings(redis_url=nowhere(), cache_breaker_failures=2, cache_breaker_pause_s=pause_s)
    cache = make_cache(settings, telemetry)
    async with asyncio.timeout(LONGEST_WAIT_S):
        while "open" not in states:
            await cache.get_many([b"a"])
        for _ in range(10):
            await asyncio.sleep(0.002)
            await cache.get_many([b"a"])
        while tried_again and "half_open" not in states:
            await asyncio.sleep(0.002)
            await cache.get_many([b"a"])
    assert ("half_open" in states) == tried_again
    await cache.close()
