"""Sums of what was spent in a day, shared by all processes."""

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

from reward_gateway.redis_servers.address import RedisAddress

from .namespace import LEGACY
from .redis_store import TIMEOUT_S, connect_client, state_unavailable

KEPT_S = 2 * 86_400
"""How long a day's sum is kept."""


class RedisSpend:
    """Implements :class:`reward_gateway.backends.judges.spending.SpendStore` in the store of state."""

    def __init__(self, client: Redis, timeout_s: float = TIMEOUT_S) -> None:
        self._client, self._timeout_s = client, timeout_s

    @classmethod
    def connect(cls, address: RedisAddress | str) -> "RedisSpend":
        """Sums in the store at an address."""
        return cls(connect_client(address, TIMEOUT_S))

    async def add(self, name: str, amount: float) -> float:
        """Add to a sum, and return it. Raises StateUnavailable."""
        key = f"{LEGACY}spend:{name}"
        try:
            async with asyncio.timeout(self._timeout_s):
                if not amount:
                    return float(await self._client.get(key) or 0.0)
                pipeline = self._client.pipeline(transaction=True)
                pipeline.incrbyfloat(key, amount)
                pipeline.expire(key, KEPT_S)
                total, _ = await pipeline.execute()
                return float(total)
        except (RedisError, OSError, TimeoutError) as error:
            raise state_unavailable(error) from None

    async def close(self) -> None:
        await self._client.aclose()
