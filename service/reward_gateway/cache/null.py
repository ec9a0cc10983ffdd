"""No cache: every lookup misses, nothing is kept."""

from collections.abc import Sequence

from reward_gateway.cache.port import Entry


class NullCache:
    """Implements :class:`reward_gateway.cache.port.ScoreCache` without storing anything."""

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        return [None] * len(keys)

    def put_later(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        pass

    async def close(self) -> None:
        pass
