"""Budgets: samples that a tenant may have scored per UTC day, counted exactly in Redis by all gateways together.

A request counts all of its samples before it is scored, or is refused and counts none. While Redis is away nothing is
refused; what was let through is counted as soon as it is back.
"""

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reward_gateway.accounts import Account
from reward_gateway.counted import count_of
from reward_gateway.errors import OverBudget
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect

log = structlog.get_logger(__name__)

TAG = "budgets"

TIMEOUT_S = 1.0
"""Timeout for Redis, after which a request is let through."""

PAUSE_S = 5.0
"""Seconds for which Redis is left alone after it did not answer."""

KEPT_S = 3 * 86_400
"""How long a day's sum is kept."""

_SPEND = """
-- Count samples of a tenant's day, unless that would exceed its budget. KEYS: the day. ARGV: samples, budget, samples
-- that were let through before, seconds to keep. 1 and the sum with them, or 0 and the sum without.
local spent = redis.call('INCRBY', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
if spent + tonumber(ARGV[1]) > tonumber(ARGV[2]) then
  return {0, spent}
end
return {1, redis.call('INCRBY', KEYS[1], ARGV[1])}
"""


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Budgets:
    """The budgets of all tenants.

    Args:
        address: of the state store.
        clock: the time in UTC.
        observer: notified of requests that were refused, and of those that could not be checked.
    """

    def __init__(
        self,
        address: RedisAddress | str,
        clock: Callable[[], datetime] = utc_now,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._clock, self._observer = clock, observer
        self._client: Any = connect(
            address, TAG, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self._spend = self._client.register_script(_SPEND)
        self._owed: dict[str, int] = {}  # samples that were let through, or given back, by key: not yet counted
        self._away_until = 0.0
        self._giving: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return self._clock()

    async def spend(self, account: Account, samples: int) -> str:
        """Count samples against a tenant's budget; returns the day, for :meth:`give_back`.

        Raises:
            OverBudget: they would exceed it; none is counted.
        """
        assert account.budget is not None
        now = self._clock()
        day = now.date().isoformat()
        answer = await self._count(_key(account.tenant, day), samples, account.budget)
        if answer is None:
            self._observer.budget_unchecked()
            return day
        accepted, spent = answer
        if not accepted:
            self._observer.over_budget(account.tenant)
            left = max(0, account.budget - spent)
            raise OverBudget(
                f"the tenant {account.tenant} may have {count_of(account.budget, 'sample')} scored per UTC day, of "
                f"which {left} {'is' if left == 1 else 'are'} left: send fewer, wait until midnight UTC, or have the "
                "budget raised in the keys file",
                retry_after_s=seconds_to_midnight(now),
            )
        return day

    def give_back(self, account: Account, day: str, samples: int) -> None:
        """Take back samples of a request that failed as a whole, in the background."""
        key = _key(account.tenant, day)
        self._owed[key] = self._owed.get(key, 0) - samples
        task = asyncio.create_task(self._settle(key), name="budget-give-back")
        self._giving.add(task)
        task.add_done_callback(self._giving.discard)

    async def read(self, tenant: str) -> int | None:
        """Samples that a tenant has spent today; None: Redis does not answer."""
        key = _key(tenant, self._clock().date().isoformat())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return int(await self._client.get(key) or 0) + self._owed.get(key, 0)
        except (RedisError, OSError):
            return None

    async def close(self) -> None:
        """Count what is owed, as far as Redis answers, and close the connections."""
        await asyncio.gather(*self._giving, return_exceptions=True)
        await asyncio.gather(*map(self._settle, list(self._owed)))
        await self._client.aclose()

    async def _settle(self, key: str) -> None:
        await self._count(key, 0, 0)

    async def _count(self, key: str, samples: int, budget: int) -> tuple[bool, int] | None:
        """Whether samples were accepted, and the sum of the day; None: Redis is away, and they are owed."""
        now = asyncio.get_running_loop().time()
        owed = self._owed.pop(key, 0)
        try:
            if now < self._away_until:
                raise TimeoutError
            async with asyncio.timeout(TIMEOUT_S):
                accepted, spent = await self._spend(keys=[key], args=[samples, budget, owed, KEPT_S])
                return bool(accepted), int(spent)
        except (RedisError, OSError) as error:
            if now >= self._away_until:
                self._away_until = now + PAUSE_S
                log.warning("budgets_unchecked", reason=type(error).__name__, once_per="budgets")
            self._owed[key] = self._owed.get(key, 0) + owed + samples
            return None


def _key(tenant: str, day: str) -> str:
    return f"reward_gateway:{{{TAG}}}:{tenant}:{day}"


def seconds_to_midnight(now: datetime) -> int:
    """Seconds until the next UTC day begins, at least 1."""
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return max(1, math.ceil((midnight - now).total_seconds()))
