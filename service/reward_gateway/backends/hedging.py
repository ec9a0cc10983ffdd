"""When a slow call is sent to a second replica: after the time in which nearly all calls are answered, and seldom."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from reward_gateway.observer import HedgeOutcome

LATEST = 256
"""Calls of which the time is remembered."""

FEWEST = 20
"""Calls that have to be answered before any is sent twice."""

QUANTILE = 0.95
SHARE = 0.05
"""Most further calls, of all calls."""

T = TypeVar("T")
FurtherCall = Callable[[], Awaitable[T]]
"""Makes the call of another replica."""


class Hedging:
    """What is known of the times of calls, and how many were sent twice.

    Args:
        tell: is told when a call is sent twice, and when the second replica's answer is the one that counts.
    """

    def __init__(self, tell: Callable[[HedgeOutcome], None] = lambda outcome: None) -> None:
        self._tell = tell
        self._seconds: deque[float] = deque(maxlen=LATEST)
        self._calls = self._further = 0

    def begin_call(self) -> float | None:
        """Count a call; the seconds after which it may be sent once more, None: not at all."""
        self._calls += 1
        if len(self._seconds) < FEWEST:
            return None
        ordered = sorted(self._seconds)
        return ordered[math.ceil(QUANTILE * len(ordered)) - 1]

    def may_take_further_call(self) -> bool:
        """Whether a further call is within the share of those that may be made."""
        return self._further + 1 <= SHARE * self._calls

    def take_further_call(self) -> bool:
        """Whether a further call may be made now, which is counted."""
        if not self.may_take_further_call():
            return False
        self._further += 1
        return True

    def note_answer(self, seconds: float) -> None:
        """A call was answered in so many seconds."""
        self._seconds.append(seconds)

    async def first_answer(
        self, first: Awaitable[T], choose_further: Callable[[], Awaitable[FurtherCall[T] | None]]
    ) -> T:
        """What a call answers; or another replica that is asked too where that takes long, whichever is first. The
        other one is cancelled.

        Args:
            choose_further: finds another replica; None: there is none that may be asked now.

        Raises:
            Exception: that of the call, or of one of both where neither has an answer.
        """
        wait_s = self.begin_call()
        if wait_s is None:
            return await first
        calls = [asyncio.ensure_future(first)]
        try:
            await asyncio.wait(calls, timeout=wait_s)
            if not calls[0].done() and self.may_take_further_call():
                further = await _choose_until_done(choose_further, calls[0])
                if further is not None and self.take_further_call():
                    self._tell("sent")
                    calls.append(asyncio.ensure_future(further()))
            waiting = set(calls)
            while waiting:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                answered = next((call for call in calls if call.done() and call.exception() is None), None)
                if answered is not None:
                    if answered is not calls[0]:
                        self._tell("won")
                    return answered.result()
            return calls[-1].result()  # raises
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


async def _choose_until_done(
    choose_further: Callable[[], Awaitable[FurtherCall[T] | None]], first: asyncio.Future[T]
) -> FurtherCall[T] | None:
    """Another replica, unless the call is done before one is found: it may have to wait for its turn."""
    choosing = asyncio.ensure_future(choose_further())
    try:
        await asyncio.wait((choosing, first), return_when=asyncio.FIRST_COMPLETED)
        return None if first.done() else choosing.result()
    finally:
        choosing.cancel()
        await asyncio.gather(choosing, return_exceptions=True)
