"""The copies of an upstream: the one with the fewest calls in flight is asked, and another if it does not answer."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

import structlog

from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Invalid

from ..followed_name import FollowedName, resolve_addresses
from ..hedging import FurtherCall, Hedging
from ..least_busy import LeastBusy
from .config import UpstreamConfig
from .failures import Refused, ReplicaFailed
from .replica import Replica

log = structlog.get_logger(__name__)
T = TypeVar("T")

ATTEMPTS = 2
"""A call that fails goes once more, to another replica or to the same one once it is back."""

RECOVER_S = 1.0
"""How long a call waits for a replica to be looked at, where no other can take it."""


class Replicas:
    """Chooses replicas.

    Args:
        make: makes the client of an address, with its label.

    Attributes:
        all: every replica by its address.
    """

    def __init__(
        self,
        name: str,
        config: UpstreamConfig,
        make: Callable[[str, str], Replica],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._name = name
        self._config = config
        self._make = make
        self._least_busy = LeastBusy()
        self._followed = FollowedName(config.dns, lambda url: resolve_addresses(url)) if config.dns else None
        self._hedging = Hedging(partial(observer.call_hedged, "upstream", name))
        self.all: dict[str, Replica] = {url: make(url, urlsplit(url).netloc) for url in config.urls}
        self._leaving: set[asyncio.Task[None]] = set()

    async def resolve(self) -> bool:
        """Look the addresses of ``dns`` up again; replicas that have gone finish their calls. Whether any changed."""
        if self._followed is None or not await self._followed.refresh():
            return False
        found = self._followed.addresses
        for url in [url for url in self.all if url not in found]:
            self._drain(self.all.pop(url))
        for url in [url for url in found if url not in self.all]:
            self.all[url] = self._make(url, self._followed.make_label({each.label for each in self.all.values()}))
        return True

    @property
    def pause_s(self) -> float:
        """Seconds until the addresses of ``dns`` are looked up again."""
        return self._followed.pause_s if self._followed is not None else math.inf

    def _drain(self, replica: Replica) -> None:
        """Close a replica once its calls are answered."""

        async def close_later() -> None:
            await replica.wait_until_idle()
            await replica.close()

        task = asyncio.get_running_loop().create_task(close_later())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def call(self, ask: Callable[[Replica, float], Awaitable[T]], rows: int, deadline: float) -> T:
        """What a replica answers; a call that fails goes once more if there is time.

        Args:
            ask: asks a replica, within so many seconds.
            rows: how many the call has.
            deadline: time on the running loop's clock.

        Raises:
            ReplicaFailed: no replica answered.
            Refused: one did, and refuses the call.
        """
        loop = asyncio.get_running_loop()
        tried: list[Replica] = []
        failure: ReplicaFailed | None = None
        for attempt in range(ATTEMPTS):
            chosen = self._choose(tried)
            if chosen is None and tried and failure is not None and failure.lost:
                await tried[-1].wait_for_look(min(RECOVER_S, deadline - loop.time()))
                chosen = self._choose([])
            if chosen is None or (attempt and loop.time() >= deadline):
                break
            replica, ticket = chosen
            tried.append(replica)
            try:
                return await self._ask_hedged(ask, replica, ticket, rows, deadline, tried)
            except ReplicaFailed as error:
                failure = error
        raise failure or ReplicaFailed(
            Invalid("model_unavailable", f"No server of {self._name} answers at the moment; try again later.")
        )

    async def _ask_hedged(
        self,
        ask: Callable[[Replica, float], Awaitable[T]],
        replica: Replica,
        ticket: int,
        rows: int,
        deadline: float,
        tried: list[Replica],
    ) -> T:
        """What a replica answers, or another one that is asked too where the first takes long, whichever is first."""
        first = self._ask_one(ask, replica, ticket, rows, deadline)
        if not self._config.hedge:
            return await first

        async def choose_further() -> FurtherCall[T] | None:
            if (other := self._choose(tried)) is None:
                return None

            def ask_other() -> Awaitable[T]:
                tried.append(other[0])
                return self._ask_one(ask, *other, rows, deadline)

            return ask_other

        return await self._hedging.first_answer(first, choose_further)

    async def _ask_one(
        self, ask: Callable[[Replica, float], Awaitable[T]], replica: Replica, ticket: int, rows: int, deadline: float
    ) -> T:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with replica.carry(rows) as outcome:
            try:
                answer = await ask(replica, max(0.0, min(self._config.limits.timeout_s, deadline - loop.time())))
            except ReplicaFailed as failure:
                late = failure.timed_out and loop.time() >= deadline  # which proves no fault
                outcome.append("deadline_exceeded" if late else failure.reason.code)
                if failure.busy:
                    replica.note_answer()
                elif not late:
                    replica.note_failure(ticket)
                if failure.lost:
                    replica.distrust()
                raise
            except Refused as refusal:
                outcome.append(refusal.reason.code)
                replica.note_answer()
                raise
            outcome.append("ok")
            replica.note_answer()
            self._hedging.note_answer(loop.time() - began)
            return answer

    def _choose(self, tried: list[Replica]) -> tuple[Replica, int] | None:
        """The replica with the fewest calls in flight among those that are called, in turn among equals."""
        return self._least_busy.choose(list(self.all.values()), tried)

    async def close(self) -> None:
        """Close every connection, of those that leave, too."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await asyncio.gather(*(replica.close() for replica in self.all.values()))
