"""Two cache levels as one: misses of the near level are looked up in the far level, and stored in the near one."""

from collections.abc import Sequence

from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.port import Entry, ScoreCache


class TieredCache:
    """Implements :class:`reward_gateway.cache.port.ScoreCache` over a memory cache and a store."""

    def __init__(self, near: MemoryCache, far: ScoreCache) -> None:
        self._near = near
        self._far = far

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
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
        self._near.put_later(items)
        self._far.put_later(items)

    async def close(self) -> None:
        await self._near.close()
        await self._far.close()
