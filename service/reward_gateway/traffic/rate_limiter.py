"""Rate limits: how many requests an API key may send per second, minute, hour or day, by an exact moving window.

The windows are in Redis, shared by every worker process of every pod. While Redis is unavailable, each process enforces
its share: the rate divided by the last known number of gateway processes. Keys without a rate never wait for Redis.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter as SharedMovingWindow
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter as LocalMovingWindow
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reward_gateway.errors import RateLimited
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.rates import parse_rate
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import make_pool
from reward_gateway.tasks import end_task

from .keys import ApiKey

TAG = "rates"

PREFIX = f"reward_gateway:{{{TAG}}}"
"""Prefix of the keys in Redis, with one hash tag."""

TIMEOUT_S = 1.0
"""Timeout for Redis, after which a process decides by itself."""

CONNECTIONS = 16
"""Maximum connections to Redis per process."""


class Breaker(Protocol):
    """Leaves Redis alone while it does not answer (``cache.breaker.Breaker`` is one)."""

    def begin_call(self) -> int | None: ...

    def begin_probe(self) -> int | None: ...

    def record_success(self) -> None: ...

    def record_failure(self, ticket: int) -> None: ...


class SharedWindows:
    """The moving windows in Redis, behind a circuit breaker.

    Args:
        address: of the state store.
        breaker: decides whether to call Redis.
        timeout_s: timeout for one decision, including connecting.
    """

    def __init__(self, address: RedisAddress | str, breaker: Breaker, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._breaker = breaker
        self._pool = make_pool(
            BlockingConnectionPool,
            address,
            TAG,
            max_connections=CONNECTIONS,
            timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_timeout=None,  # the whole decision has a limit; the client's own loses cancellations
            retry=Retry(NoBackoff(), 1),  # a connection that a restarted server closed
        )
        options: dict[str, Any] = {"connection_pool": self._pool}
        # The scheme says which client it takes, the pool where the server is.
        self._storage = RedisStorage("redis://", implementation="redispy", key_prefix=PREFIX, **options)
        self._limiter = SharedMovingWindow(self._storage)
        self._probe: asyncio.Task[None] | None = None

    async def wait_s(self, item: RateLimitItem, name: str) -> float | None:
        """Count one request and return 0, or return the seconds (> 0) until the next one is allowed.

        None: Redis is unavailable; the caller decides by itself.
        """
        ticket = self._breaker.begin_call()
        if ticket is None:
            self._start_probe()
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                wait = 0.0
                if not await self._limiter.hit(item, name):
                    stats = await self._limiter.get_window_stats(item, name)
                    wait = _wait_s(stats.reset_time, stats.remaining)
        except (RedisError, OSError):
            self._breaker.record_failure(ticket)
            return None
        self._breaker.record_success()
        return wait

    def _start_probe(self) -> None:
        """Check in the background whether Redis is back, if the breaker allows a probe."""
        if (ticket := self._breaker.begin_probe()) is not None:
            self._probe = asyncio.create_task(self._probe_redis(ticket), name="rates-probe")

    async def _probe_redis(self, ticket: int) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                alive = await self._storage.check()
        except TimeoutError:
            alive = False
        if alive:
            self._breaker.record_success()
        else:
            self._breaker.record_failure(ticket)

    async def close(self) -> None:
        await end_task(self._probe)
        await self._pool.aclose()


class KeyRateLimiter:
    """The rate limiter of one process.

    Args:
        default: rate of a key without its own, for example ``600/minute``; None: no limit.
        workers: returns the known number of gateway processes, among which a rate is divided while the shared windows
            are unavailable.
        shared: the windows in Redis; None: this process always decides by itself.
        observer: notified of each request that was decided locally although there are shared windows.
    """

    def __init__(
        self,
        default: str | None,
        workers: Callable[[], int] = lambda: 1,
        shared: SharedWindows | None = None,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._default = default
        self._workers = workers
        self._shared = shared
        self._observer = observer
        self._local = LocalMovingWindow(MemoryStorage())
        self._rates: dict[str, RateLimitItem] = {}

    def limits(self, key: ApiKey) -> bool:
        """Whether the key has a rate."""
        return (key.rate or self._default) is not None

    async def check_rate(self, key: ApiKey) -> None:
        """Count one request of the key.

        Raises:
            RateLimited: with the seconds until the next request is allowed.
        """
        rate = key.rate or self._default
        if rate is None:
            return
        whole_rate = self._rates.get(rate) or self._rates.setdefault(rate, parse_rate(rate))
        share = share_of(whole_rate, self._workers())
        wait = None
        if self._shared is not None:
            wait = await self._shared.wait_s(whole_rate, key.name)
            if wait is None:
                self._observer.rate_checked_alone()
        if wait is None:
            wait = self._local_wait_s(share, key.name)
        elif not wait:
            self._local.hit(share, key.name)  # so that an outage does not grant the window a second time
        if wait:
            raise RateLimited("this API key exceeds its rate limit", retry_after_s=max(1.0, math.ceil(wait)))

    def _local_wait_s(self, item: RateLimitItem, name: str) -> float:
        if self._local.hit(item, name):
            return 0.0
        stats = self._local.get_window_stats(item, name)
        return _wait_s(stats.reset_time, stats.remaining)

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()


def share_of(rate: RateLimitItem, workers: int) -> RateLimitItem:
    """The rate for one of ``workers`` processes, so that all of them together keep the whole rate.

    ``600/minute`` over 8 is ``75/minute``; ``5/minute`` over 8 is one request per 96 s.
    """
    if rate.amount >= workers:
        return type(rate)(rate.amount // workers, rate.multiples, rate.namespace)
    return type(rate)(1, math.ceil(rate.multiples * workers / rate.amount), rate.namespace)


def _wait_s(reset_at: float, remaining: int) -> float:
    """Seconds (> 0) until a rejected request is allowed; a window that has moved on meanwhile has room at once."""
    return max(1e-3, reset_at - time.time()) if remaining <= 0 else 1e-3
