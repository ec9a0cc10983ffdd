"""Two cache levels as one: misses of the near level are looked up in the far level, and stored in the near one.

Levels of other processes stand before the same far level, so what one of them computes anew reaches the others once
their near entries have expired: they are kept for a short time.
"""

from collections.abc import Sequence

from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.port import Entry, ScoreCache

NEAR_TTL_S = 60.0
"""Seconds after which an entry of the near level is looked up in the far level again, at most."""


class TieredCache:
    """Implements :class:`reward_gateway.cache.port.ScoreCache` over a memory cache and a store."""

    def __init__(self, near: MemoryCache, far: ScoreCache) -> None:
        self._near = near
        self._far = far

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        if not self._near.has_room(len(keys)):
            return await self._far.get_many(keys)
        entries = self._near.look_up(keys)
        missing = [i for i, entry in enumerate(entries) if entry is None]
        if missing:
            fetched = await self._far.get_many([keys[i] for i in missing])
            fetched_items = []
            for i, entry in zip(missing, fetched, strict=True):
                if entry is not None:
                    entries[i] = entry
                    fetched_items.append((keys[i], entry))
            self._near.put_later(fetched_items)
        return entries

    def put_later(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        if self._near.has_room(len(items)):
            self._near.put_later(items)
        self._far.put_later(items)

    async def close(self) -> None:
        await self._near.close()
        await self._far.close()
