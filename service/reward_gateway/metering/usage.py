"""Usage: what each API key had scored on each UTC day, of all gateways together.

Counts are kept in memory and added to the store every second, so that no request waits for it: a gateway that is killed
loses the counts of its last second.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reward_gateway.errors import StateUnavailable
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect
from reward_gateway.sample import Scored
from reward_gateway.tasks import end_task, repeat

from .budgets import utc_now

TAG = "usage"

TIMEOUT_S = 5.0
EVERY_S = 1.0


@dataclass(slots=True)
class Counts:
    """What a key had scored on a day.

    Attributes:
        requests: that were answered.
        samples: of these requests, cached ones and those without a reward included.
        invalid: samples without a reward.
        cache_hits, model_calls: of their raw scores; those of jobs are not counted.
    """

    requests: int = 0
    samples: int = 0
    invalid: int = 0
    cache_hits: int = 0
    model_calls: int = 0

    def add(self, other: "Counts") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @classmethod
    def of(cls, scored: Scored) -> "Counts":
        """The counts of one request."""
        usage = scored.usage
        return cls(1, len(scored.reward), len(scored.invalid), usage.cache_hits, usage.model_calls)

    @classmethod
    def of_all(cls, parts: Iterable[Scored]) -> "Counts":
        """The counts of one request that several recipes answered."""
        whole = cls()
        for part in parts:
            whole.add(cls.of(part))
        whole.requests = 1
        return whole


@dataclass(frozen=True, slots=True)
class Owner:
    """A key on a day."""

    day: str
    key: str
    tenant: str


Table = dict[Owner, Counts]


class UsageStore(Protocol):
    """Where counts are added up."""

    shared: bool
    """Whether all workers and gateways see the same."""

    async def add(self, table: Table) -> None:
        """Add counts. Raises StateUnavailable, and then has added nothing or cannot say."""
        ...

    async def read(self, days: Iterable[str]) -> Table:
        """The counts of some days. Raises StateUnavailable."""
        ...

    async def close(self) -> None: ...


class LocalUsageStore:
    """Counts of this process alone.

    Args:
        days: how many days are kept.
    """

    shared = False

    def __init__(self, days: int, clock: Callable[[], datetime] = utc_now) -> None:
        self._days, self._clock = days, clock
        self._table: Table = {}

    async def add(self, table: Table) -> None:
        for owner, counts in table.items():
            self._table.setdefault(owner, Counts()).add(counts)
        oldest = (self._clock().date() - timedelta(days=self._days)).isoformat()
        for owner in [owner for owner in self._table if owner.day < oldest]:
            del self._table[owner]

    async def read(self, days: Iterable[str]) -> Table:
        wanted = set(days)
        return {owner: counts for owner, counts in self._table.items() if owner.day in wanted}

    async def close(self) -> None: ...


class RedisUsageStore:
    """Counts of all gateways, a hash per day.

    Args:
        address: of the state store.
        days: how many days are kept.
    """

    shared = True

    def __init__(self, address: RedisAddress | str, days: int) -> None:
        self._client: Any = connect(
            address, TAG, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self._days = days

    async def add(self, table: Table) -> None:
        pipeline = self._client.pipeline(transaction=True)
        for owner, counts in table.items():
            for name, count in asdict(counts).items():
                if count:
                    pipeline.hincrby(_key(owner.day), f"{owner.key}/{owner.tenant}/{name}", count)
        for day in {owner.day for owner in table}:
            pipeline.expire(_key(day), (self._days + 1) * 86_400)
        await self._answer(pipeline.execute())

    async def read(self, days: Iterable[str]) -> Table:
        wanted = list(days)
        pipeline = self._client.pipeline(transaction=False)
        for day in wanted:
            pipeline.hgetall(_key(day))
        known = {each.name for each in fields(Counts)}
        table: Table = {}
        for day, held in zip(wanted, await self._answer(pipeline.execute()), strict=True):
            for field, count in held.items():
                key, tenant, name = field.decode().split("/")
                if name in known:
                    setattr(table.setdefault(Owner(day, key, tenant), Counts()), name, int(count))
        return table

    async def _answer(self, answering: Any) -> Any:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await answering
        except (RedisError, OSError) as error:
            raise StateUnavailable(f"usage cannot be read or written: {type(error).__name__}") from None

    async def close(self) -> None:
        await self._client.aclose()


class UsageCounter:
    """Counts in this process, on their way to a store.

    Args:
        store: where they are added up.
        days: how many days are kept.
    """

    def __init__(
        self,
        store: UsageStore,
        days: int,
        clock: Callable[[], datetime] = utc_now,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self.store, self.days = store, days
        self._clock, self._observer = clock, observer
        self._waiting: Table = {}
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def in_process(cls, days: int) -> "UsageCounter":
        """Usage of this process alone."""
        return cls(LocalUsageStore(days), days)

    @property
    def today(self) -> date:
        """The day, in UTC."""
        return self._clock().date()

    def count(self, key: str, tenant: str, counts: Counts) -> None:
        """Count what a key had scored."""
        self._waiting.setdefault(Owner(self.today.isoformat(), key, tenant), Counts()).add(counts)
        self._observer.usage_counted(key, tenant, counts.samples)

    async def read(self, first: date, last: date) -> Table:
        """The counts of the days from ``first`` to ``last``, those of this process's last second included.

        Raises:
            StateUnavailable: the store does not answer.
        """
        await self.flush()
        return await self.store.read((first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1))

    async def flush(self) -> None:
        """Add what waits to the store. Raises StateUnavailable, and then it waits on."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            await self.store.add(waiting)
        except BaseException:
            for owner, counts in waiting.items():
                self._waiting.setdefault(owner, Counts()).add(counts)
            raise

    def start(self) -> None:
        """Start adding in the background."""
        self._task = asyncio.create_task(repeat(self._flush_if_reachable, EVERY_S, "usage"), name="usage")

    async def close(self) -> None:
        """Add what waits, as far as the store answers."""
        await end_task(self._task)
        await self._flush_if_reachable()
        await self.store.close()

    async def _flush_if_reachable(self) -> None:
        with contextlib.suppress(StateUnavailable):  # it waits, and readiness says that the store is away
            await self.flush()


def _key(day: str) -> str:
    return f"reward_gateway:{{{TAG}}}:{day}"
