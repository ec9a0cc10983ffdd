"""Rate limit of a judge: an exact moving window; waiting callers keep their order."""

import asyncio
import time

from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from reward_gateway.rates import parse_rate

SHORTEST_WAIT_S = 0.005


class RateLimiter:
    """Delays callers to a maximum rate.

    Args:
        rate: for example ``300/minute``; None for no limit.
    """

    def __init__(self, rate: str | None) -> None:
        self._item = parse_rate(rate) if rate is not None else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage()) if rate is not None else None
        self._turn = asyncio.Lock()

    async def wait_for_turn(self) -> None:
        """Wait until one more call is within the rate."""
        if self._item is None or self._limiter is None:
            return
        async with self._turn:
            while not await self._limiter.hit(self._item):
                window = await self._limiter.get_window_stats(self._item)
                await asyncio.sleep(max(SHORTEST_WAIT_S, window.reset_time - time.time()))
