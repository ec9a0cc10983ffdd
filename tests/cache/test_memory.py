"""The level in memory, alone and before another store."""

from typing import Any

import pytest
from reward_gateway.cache.memory import AVERAGE_BYTES, OWN_BYTES, MemoryCache
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


async def test_what_takes_much_room_leaves_room_for_fewer() -> None:
    cache = MemoryCache(4, 60)
    large = Entry(bytes(2 * AVERAGE_BYTES - OWN_BYTES - 1))
    cache.put_later([(bytes([key]), large) for key in range(4)])
    assert await cache.get_many([bytes([key]) for key in range(4)]) == [None, None, large, large]
    cache.put_later([(b"\x02", entry(1)), (b"\x00", entry(2))])
    assert await cache.get_many([bytes([key]) for key in range(4)]) == [entry(2), None, entry(1), large]


async def test_room_is_given_back_by_what_expires_is_replaced_or_evicted() -> None:
    clock = Clock()
    cache = MemoryCache(2, 5.0, clock=clock)
    half = Entry(bytes(AVERAGE_BYTES - OWN_BYTES - 1))
    for now in range(0, 60, 3):
        clock.now = float(now)
        cache.put_later([(b"a", half), (bytes([now]), half)])
        assert await cache.get_many([b"a", bytes([now])]) == [half, half]
    clock.now = 100.0
    assert await cache.get_many([b"a"]) == [None]
    cache.put_later([(b"x", half), (b"y", half)])
    assert await cache.get_many([b"x", b"y"]) == [half, half]


async def test_what_another_process_computed_anew_comes_with_the_next_lookup_in_the_far_level() -> None:
    clock, far = Clock(), Asked()
    levels = TieredCache(MemoryCache(10, 5.0, clock=clock), far)
    levels.put_later([(b"a", entry(1))])
    far.put_later([(b"a", entry(2))])
    assert await levels.get_many([b"a"]) == [entry(1)]
    clock.now = 5.0
    assert await levels.get_many([b"a"]) == [entry(2)]


class Asked(MemoryCache):
    """A far level that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(100, 60)
        self.asked: list[bytes] = []

    async def get_many(self, keys: Any) -> list[Entry | None]:
        self.asked += keys
        return await super().get_many(keys)


async def test_the_far_level_is_asked_only_for_what_the_near_one_lacks_and_only_once() -> None:
    near, far = MemoryCache(12, 60), Asked()
    levels = TieredCache(near, far)
    levels.put_later([(b"a", entry(1))])
    far.put_later([(b"b", entry(2))])
    for _ in range(2):
        assert await levels.get_many([b"c", b"a", b"b"]) == [None, entry(1), entry(2)]
    assert far.asked == [b"c", b"b", b"c"]
    assert await far.get_many([b"a"]) == [entry(1)]
    await levels.close()


async def test_a_request_that_would_drive_out_all_others_goes_to_the_far_level_alone() -> None:
    near, far = MemoryCache(8, 60), Asked()
    levels = TieredCache(near, far)
    many = [(bytes([key]), entry(key)) for key in range(3)]
    levels.put_later(many)
    assert len(near) == 0
    for _ in range(2):
        assert await levels.get_many([key for key, _ in many]) == [held for _, held in many]
    assert (len(near), len(far.asked)) == (0, 6)


async def test_no_cache_knows_nothing() -> None:
    cache = NullCache()
    cache.put_later([(b"a", entry(1))])
    assert await cache.get_many([b"a", b"b"]) == [None, None]
    await cache.close()
