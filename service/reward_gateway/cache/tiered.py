"""Two caches as one: what the near one does not know, the far one is asked for, and the near one learns it."""

from collections.abc import Sequence

from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.port import Entry, ScoreCache


class TieredCache:
    """Implements :class:`reward_gateway.cache.port.ScoreCache` over memory and a store behind it."""

    def __init__(self, near: MemoryCache, far: ScoreCache) -> None:
        self._near = near
        self._far = far

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        found = self._near.look_up(keys)
        missing = [i for i, entry in enumerate(found) if entry is None]
        if missing:
            fetched = await self._far.get_many([keys[i] for i in missing])
            learned = []
            for i, entry in zip(missing, fetched, strict=True):
                if entry is not None:
                    found[i] = entry
                    learned.append((keys[i], entry))
            self._near.put_later(learned)
        return found

    def put_later(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        self._near.put_later(items)
        self._far.put_later(items)

    async def close(self) -> None:
        await self._near.close()
        await self._far.close()
