"""The queue of a run: what all its jobs have answered, for one consumer or several that share it.

A result comes again after ``visibility_s`` unless it is acknowledged, so that one which a consumer took with it when it
died is not lost. It may therefore come twice: drop repeats by ``(job, index)``.
"""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TypeVar

from .job_calls import AcknowledgeResults, EmptyQueue, JobCall, TakeResults
from .job_results import RunResult, make_run_results
from .jobs import POLL_S, AsyncCaller, Caller
from .retry import await_with_retries, call_with_retries

T = TypeVar("T")

LARGEST_PAGE = 512
MOST_RECEIPTS = 4096
"""Receipts of one call."""


class RunQueue:
    """The queue of one run, for a :class:`RewardClient`."""

    def __init__(self, client: Caller, name: str) -> None:
        self._client = client
        self.name = name

    def take(
        self,
        max: int = LARGEST_PAGE,
        *,
        consumer: str = "consumer",
        visibility_s: float = 60.0,
        wait_s: float = 0.0,
    ) -> list[RunResult]:
        """Results that are there, or the first that come within ``wait_s``; what was delivered together comes together.

        Args:
            max: results to take, about: a group is not torn apart.
            consumer: who takes them: a name of up to 64 characters.
            visibility_s: seconds after which they come again, unless they are acknowledged (1 to 3,600).
            wait_s: seconds to wait for the first one.

        Raises:
            GatewayError: the class says what.
        """
        rows = self._call(TakeResults(self.name, max, consumer, visibility_s, wait_s))
        return make_run_results(rows)

    def results(
        self,
        max: int = LARGEST_PAGE,
        *,
        consumer: str = "consumer",
        visibility_s: float = 60.0,
        wait_s: float | None = None,
        acknowledge: bool = False,
    ) -> Iterator[RunResult]:
        """Results one by one, as they come.

        Args:
            max, consumer, visibility_s: as of :meth:`take`.
            wait_s: ends once so many seconds passed without a result; None: it goes on.
            acknowledge: what was taken is acknowledged as soon as all of it was passed on and more is asked for;
                else call :meth:`ack`.

        Raises:
            GatewayError: as of :meth:`take`; a gateway that is away is asked again for the client's ``timeout_s``.
        """
        patience = _Patience(wait_s)
        while (poll_s := patience.next_wait_s()) is not None:
            found = self.take(max, consumer=consumer, visibility_s=visibility_s, wait_s=poll_s)
            yield from found
            if found and acknowledge:
                self.ack(found)
            patience.note(found)

    def ack(self, received: Iterable[RunResult | str]) -> int:
        """Acknowledge results (or their receipts): they are gone. Returns how many deliveries were still there.

        What was delivered together is acknowledged together: wait until you have its last result.
        """
        return sum([self._call(AcknowledgeResults(self.name, part)) for part in _split_receipts(received)])

    def empty(self) -> int:
        """Remove all results that wait; the jobs keep theirs. Returns how many deliveries there were."""
        return self._call(EmptyQueue(self.name))

    def _call(self, call: JobCall[T]) -> T:
        transport = self._client._transport
        return call_with_retries(lambda left_s: transport.call(call.within(left_s), left_s), self._client.timeout_s)


class AsyncRunQueue:
    """The queue of one run, for an :class:`AsyncRewardClient`."""

    def __init__(self, client: AsyncCaller, name: str) -> None:
        self._client = client
        self.name = name

    async def take(
        self,
        max: int = LARGEST_PAGE,
        *,
        consumer: str = "consumer",
        visibility_s: float = 60.0,
        wait_s: float = 0.0,
    ) -> list[RunResult]:
        """As :meth:`RunQueue.take`."""
        rows = await self._call(TakeResults(self.name, max, consumer, visibility_s, wait_s))
        return make_run_results(rows)

    async def results(
        self,
        max: int = LARGEST_PAGE,
        *,
        consumer: str = "consumer",
        visibility_s: float = 60.0,
        wait_s: float | None = None,
        acknowledge: bool = False,
    ) -> AsyncIterator[RunResult]:
        """As :meth:`RunQueue.results`."""
        patience = _Patience(wait_s)
        while (poll_s := patience.next_wait_s()) is not None:
            found = await self.take(max, consumer=consumer, visibility_s=visibility_s, wait_s=poll_s)
            for result in found:
                yield result
            if found and acknowledge:
                await self.ack(found)
            patience.note(found)

    async def ack(self, received: Iterable[RunResult | str]) -> int:
        """As :meth:`RunQueue.ack`."""
        return sum([await self._call(AcknowledgeResults(self.name, part)) for part in _split_receipts(received)])

    async def empty(self) -> int:
        """As :meth:`RunQueue.empty`."""
        return await self._call(EmptyQueue(self.name))

    async def _call(self, call: JobCall[T]) -> T:
        transport = self._client._transport
        return await await_with_retries(
            lambda left_s: transport.call(call.within(left_s), left_s), self._client.timeout_s
        )


class _Patience:
    """How long the next result is waited for; None: as long as it takes."""

    def __init__(self, wait_s: float | None) -> None:
        self._wait_s = wait_s
        self._since = time.monotonic()
        self._asked = False

    def next_wait_s(self) -> float | None:
        """Seconds that the next call may wait; None: the time is up."""
        if self._wait_s is None:
            return POLL_S
        left_s = self._since + self._wait_s - time.monotonic()
        if left_s <= 0 and self._asked:
            return None
        self._asked = True
        return min(POLL_S, max(left_s, 0.0))

    def note(self, found: Sequence[RunResult]) -> None:
        """Count from now on, if anything came."""
        if found:
            self._since, self._asked = time.monotonic(), False


def _split_receipts(received: Iterable[RunResult | str]) -> Iterator[list[str]]:
    """Each receipt once, in lists of as many as one call takes."""
    receipts = list(dict.fromkeys(one if isinstance(one, str) else one.receipt for one in received))
    for start in range(0, len(receipts), MOST_RECEIPTS):
        yield receipts[start : start + MOST_RECEIPTS]
