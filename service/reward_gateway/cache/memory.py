"""The level before Redis: the latest entries of this process, least recently used out first."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from reward_gateway.cache.port import Entry
from reward_gateway.observer import UNOBSERVED, Observer


class MemoryCache:
    """Implements :class:`reward_gateway.cache.port.ScoreCache` in this process.

    Args:
        entries: how many are kept.
        ttl_s: how long each is kept.
    """

    def __init__(
        self,
        entries: int,
        ttl_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._limit = entries
        self._ttl_s = ttl_s
        self._clock = clock
        self._observer = observer
        self._entries: OrderedDict[bytes, tuple[float, Entry]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def look_up(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """What is known of the keys, in their order."""
        if not keys:
            return []
        started = self._clock()
        found = [self._get(key, started) for key in keys]
        misses = found.count(None)
        self._observer.cache_looked_up("memory", len(found) - misses, misses, self._clock() - started)
        return found

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        return self.look_up(keys)

    def put_later(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        expires = self._clock() + self._ttl_s
        for key, entry in items:
            self._entries[key] = (expires, entry)
            self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    async def close(self) -> None:
        self._entries.clear()

    def _get(self, key: bytes, now: float) -> Entry | None:
        held = self._entries.get(key)
        if held is None:
            return None
        if held[0] <= now:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return held[1]
