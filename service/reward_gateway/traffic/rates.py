"""Rates: how many requests a key may make, by an exact moving window.

The window lives in the process: with several workers each one counts what reaches it, and a key's rate is
shared out evenly among them.
"""

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from reward_gateway.errors import RateLimited

from .keys import ApiKey


class Rates:
    """The rate limiter of one process.

    Args:
        default: rate of a key that names none, for example ``600/minute``; None: no limit.
        workers: processes among which a rate is shared out (never below one request a window).
    """

    def __init__(self, default: str | None, workers: int = 1) -> None:
        self._default = default
        self._workers = workers
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._items: dict[str, RateLimitItem] = {}

    def check(self, key: ApiKey) -> None:
        """Count one request of the key. Raises RateLimited with the seconds until the next one may pass."""
        rate = key.rate or self._default
        if rate is None:
            return
        item = self._items.get(rate) or self._read(rate)
        if self._limiter.hit(item, key.name):
            return
        wait = self._limiter.get_window_stats(item, key.name).reset_time - time.time()
        raise RateLimited("this API key is over its rate", retry_after_s=max(1.0, math.ceil(wait)))

    def _read(self, rate: str) -> RateLimitItem:
        whole = parse(rate)
        item = type(whole)(max(1, whole.amount // self._workers), whole.multiples, whole.namespace)
        self._items[rate] = item
        return item
