"""Rate limit of a judge: an exact moving window; waiting callers keep their order."""

import asyncio
import time
from collections import deque

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


class TokenLimiter:
    """Delays callers while the tokens of the last minute are at their maximum.

    What an answer takes is known once it is there: calls under way together may pass the maximum by what they take.

    Args:
        most: tokens per minute; None for no limit.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._taken: deque[tuple[float, int]] = deque()

    def note(self, tokens: int) -> None:
        """Count the tokens of a call that has just ended."""
        if self._most is not None and tokens:
            self._taken.append((asyncio.get_running_loop().time(), tokens))

    async def wait_for_turn(self) -> None:
        """Wait until the tokens of the last minute are below the maximum."""
        while self._most is not None:
            now = asyncio.get_running_loop().time()
            while self._taken and self._taken[0][0] <= now - 60.0:
                self._taken.popleft()
            if sum(tokens for _, tokens in self._taken) < self._most:
                return
            await asyncio.sleep(max(SHORTEST_WAIT_S, self._taken[0][0] + 60.0 - now))
