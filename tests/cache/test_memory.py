"""The level in memory, alone and before another store."""

from typing import Any

import pytest
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.null import NullCache
from reward_gateway.cache.port import Entry
from reward_gateway.cache.tiered import TieredCache

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def entry(number: int) -> Entry:
    return Entry(bytes([number]) * 4, number)


async def test_the_least_recently_used_goes_first(heard: Any) -> None:
    cache = MemoryCache(2, 60, observer=heard)
    cache.put_later([(b"a", entry(1)), (b"b", entry(2))])
    await cache.get_many([b"a"])
    cache.put_later([(b"c", entry(3))])
    assert await cache.get_many([b"a", b"b", b"c"]) == [entry(1), None, entry(3)]
    assert (len(cache), heard.counts["memory hits"], heard.counts["memory misses"]) == (2, 3, 1)


async def test_entries_expire() -> None:
    clock = Clock()
    cache = MemoryCache(10, 5.0, clock=clock)
    cache.put_later([(b"a", entry(1))])
    clock.now = 4.9
    assert await cache.get_many([b"a"]) == [entry(1)]
    clock.now = 5.0
    assert await cache.get_many([b"a"]) == [None]
    assert len(cache) == 0


class Asked(MemoryCache):
    """A far level that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(100, 60)
        self.asked: list[bytes] = []

    async def get_many(self, keys: Any) -> list[Entry | None]:
        self.asked += keys
        return await super().get_many(keys)


async def test_the_far_level_is_asked_only_for_what_the_near_one_lacks_and_only_once() -> None:
    near, far = MemoryCache(10, 60), Asked()
    levels = TieredCache(near, far)
    levels.put_later([(b"a", entry(1))])
    far.put_later([(b"b", entry(2))])
    for _ in range(2):
        assert await levels.get_many([b"c", b"a", b"b"]) == [None, entry(1), entry(2)]
    assert far.asked == [b"c", b"b", b"c"]
    assert await far.get_many([b"a"]) == [entry(1)]
    await levels.close()


async def test_no_cache_knows_nothing() -> None:
    cache = NullCache()
    cache.put_later([(b"a", entry(1))])
    assert await cache.get_many([b"a", b"b"]) == [None, None]
    await cache.close()
