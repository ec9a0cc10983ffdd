"""How many messages one process receives over gRPC at once.

gRPC tells the size of a message only when the whole has arrived, so each may become as large as the largest. Of a call
that waits for its place nothing is received but what the transport holds for it (64 KiB).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reward_gateway.errors import DeadlineExceeded, Overloaded
from reward_gateway.observer import UNOBSERVED, Observer

from .fair_shares import FairShares


class MessagePlaces:
    """Places that callers share, so that whoever sends slowly leaves a place for somebody else.

    The others wait, first come, first served within a caller.

    Args:
        places: messages that are received at once.
        max_waiting: calls that wait for a place.
    """

    def __init__(self, places: int, max_waiting: int, observer: Observer = UNOBSERVED) -> None:
        self._shares = FairShares(places)
        self._max_waiting = max_waiting
        self._observer = observer
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def held(self) -> int:
        return self._shares.held

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def hold(self, caller: str, deadline: float) -> AsyncIterator[None]:
        """Hold a place for the body of the ``async with``, waiting for it.

        Args:
            caller: whose share it is.
            deadline: time on the running loop's clock.

        Raises:
            Overloaded: too many wait.
            DeadlineExceeded: the deadline passed before a place was free.
        """
        await self.acquire(caller, deadline)
        try:
            yield
        finally:
            self.release(caller)

    async def acquire(self, caller: str, deadline: float) -> None:
        """Take a place, waiting for it, as :meth:`hold`. Each needs one :meth:`release`."""
        if not self.take_free(caller):
            await self._wait(caller, deadline)

    def take_free(self, caller: str) -> bool:
        """Take a place if one is free for the caller now, as :meth:`acquire`."""
        return caller not in self._waiting and self._shares.take_if_room(caller)

    async def _wait(self, caller: str, deadline: float) -> None:
        if self.waiting >= self._max_waiting:
            self._observer.admission_rejected("body_bytes")
            raise Overloaded("too many requests wait for their messages to be received; try again later")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(place)
        try:
            async with asyncio.timeout_at(deadline):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():  # granted just as the caller left: pass it on
                self.release(caller)
            else:
                self._forget(caller, place)
            if isinstance(error, TimeoutError):
                self._observer.admission_rejected("deadline")
                raise DeadlineExceeded("the deadline passed before the message could be received") from None
            raise

    def _forget(self, caller: str, place: "asyncio.Future[None]") -> None:
        waiting = self._waiting[caller]
        waiting.remove(place)
        if not waiting:
            del self._waiting[caller]

    def release(self, caller: str) -> None:
        """Give a place back: to one who waits for it."""
        self._shares.release(caller)
        while self._waiting and (able := [waiting for waiting in self._waiting if self._shares.has_room(waiting)]):
            following = min(able, key=self._shares.held_by)
            place = self._waiting[following][0]
            self._forget(following, place)
            if not place.done():
                self._shares.take(following)
                place.set_result(None)
