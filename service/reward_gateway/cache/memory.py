"""The cache level in front of Redis: entries in this process's memory, least recently used evicted first.

What is kept is bounded in number and in bytes: judges' answers and a number per token take far more room than a score.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from reward_gateway.cache.port import Entry
from reward_gateway.observer import UNOBSERVED, Observer

AVERAGE_BYTES = 1024
"""Bytes that entries may have on average where there are as many as there may be."""

OWN_BYTES = 300
"""What an entry takes besides its key and its numbers."""


class MemoryCache:
    """Implements :class:`reward_gateway.cache.port.ScoreCache` in this process.

    Args:
        entries: maximum number of entries; together they take at most :data:`AVERAGE_BYTES` times as many bytes.
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
        self._max_bytes = entries * AVERAGE_BYTES
        self._bytes = 0
        self._ttl_s = ttl_s
        self._clock = clock
        self._observer = observer
        self._entries: OrderedDict[bytes, tuple[float, Entry]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def has_room(self, entries: int) -> bool:
        """Whether so many entries leave most of the others: a large request is not to drive out all small ones."""
        return entries <= self._limit // 4

    def look_up(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """Entries in the order of the keys, None for a miss."""
        if not keys:
            return []
        started = self._clock()
        get, use = self._entries.get, self._entries.move_to_end
        entries: list[Entry | None] = []
        for key in keys:
            stored = get(key)
            if stored is None:
                entries.append(None)
            elif stored[0] > started:
                use(key)
                entries.append(stored[1])
            else:
                self._remove(key)
                entries.append(None)
        misses = entries.count(None)
        self._observer.cache_looked_up("memory", len(entries) - misses, misses, self._clock() - started)
        return entries

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        return self.look_up(keys)

    def put_later(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        expires, kept, room = self._clock() + self._ttl_s, self._entries, 0
        for key, entry in items:
            if key in kept:
                self._remove(key)
            kept[key] = (expires, entry)
            room += OWN_BYTES + len(key) + len(entry[0])
        self._bytes += room
        while len(self._entries) > self._limit or self._bytes > self._max_bytes:
            key, (_, entry) = self._entries.popitem(last=False)
            self._bytes -= _count_bytes(key, entry)

    async def close(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def _remove(self, key: bytes) -> None:
        _, entry = self._entries.pop(key)
        self._bytes -= _count_bytes(key, entry)


def _count_bytes(key: bytes, entry: Entry) -> int:
    return OWN_BYTES + len(key) + len(entry.values)
