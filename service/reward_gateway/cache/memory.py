"""The cache level in front of Redis: entries in this process's memory, least recently used evicted first."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from reward_gateway.cache.port import Entry
from reward_gateway.observer import UNOBSERVED, Observer


class MemoryCache:
    """Implements :class:`reward_gateway.cache.port.ScoreCache` in this process.

    Args:
        entries: maximum number of entries.
        ttl_s: seconds that an entry is kept.
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
        """Entries in the order of the keys, None for a miss."""
        if not keys:
            return []
        started = self._clock()
        entries = [self._get_unexpired(key, started) for key in keys]
        misses = entries.count(None)
        self._observer.cache_looked_up("memory", len(entries) - misses, misses, self._clock() - started)
        return entries

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

    def _get_unexpired(self, key: bytes, now: float) -> Entry | None:
        stored = self._entries.get(key)
        if stored is None:
            return None
        if stored[0] <= now:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return stored[1]
