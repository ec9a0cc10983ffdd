"""Admission: a bounded number of requests at work, a bounded FIFO of those that wait, and a quick no to the rest.

Without it an overloaded server answers everybody late; with it most are answered in time and the others
learn at once when to try again. A place is held from before the body is read until the last byte of the
answer, and comes back whatever happens: an answer, an error, a client that went away.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reward_gateway.errors import DeadlineExceeded, Overloaded
from reward_gateway.observer import UNOBSERVED, Observer, RejectReason


class Admission:
    """The gate of one process.

    Args:
        max_in_flight: requests that are worked on at once.
        max_queued: requests that may wait; one more is refused.
        queue_timeout_s: longest wait for a place.
    """

    def __init__(
        self, max_in_flight: int, max_queued: int, queue_timeout_s: float, observer: Observer = UNOBSERVED
    ) -> None:
        self.max_in_flight = max_in_flight
        self.max_queued = max_queued
        self.queue_timeout_s = queue_timeout_s
        self.in_flight = 0
        self._observer = observer
        self._waiting: dict[asyncio.Future[bool], None] = {}
        self._idle: asyncio.Event | None = None

    @property
    def queued(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def enter(self, deadline: float | None = None) -> AsyncIterator[None]:
        """Hold a place for the body of the ``async with``.

        Args:
            deadline: a time of the running loop's clock after which waiting makes no sense.

        Raises:
            Overloaded: the queue is full, or the wait was too long.
            DeadlineExceeded: the request's own deadline passed while it waited.
        """
        await self.acquire(deadline)
        try:
            yield
        finally:
            self.release()

    async def acquire(self, deadline: float | None = None) -> None:
        """Take a place, waiting in line for it. Prefer :meth:`enter`; every acquire needs one :meth:`release`."""
        if self.in_flight < self.max_in_flight and not self._waiting:
            self.in_flight += 1
            self._report_change()
            return
        if self.queued >= self.max_queued:
            self._report_rejection("queue_full")
            raise Overloaded("more requests are waiting than the queue holds; try again later")
        await self._wait_in_line(deadline)

    async def _wait_in_line(self, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        late = loop.time() + self.queue_timeout_s
        by_deadline = deadline is not None and deadline < late
        place: asyncio.Future[bool] = loop.create_future()
        self._waiting[place] = None
        self._report_change()
        alarm = loop.call_at(deadline if by_deadline and deadline is not None else late, _settle_place, place, False)
        try:
            granted = await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.result():
                self.release()  # granted in the very moment the caller was cancelled: pass it on
            raise
        finally:
            alarm.cancel()
            if self._waiting.pop(place, place) is None:
                self._report_change()
        if granted:
            return
        if by_deadline:
            self._report_rejection("deadline")
            raise DeadlineExceeded("the deadline passed while the request waited for a place")
        self._report_rejection("queue_timeout")
        raise Overloaded("no place became free in time; try again later")

    def release(self) -> None:
        """Give a place back: to the first in line, if somebody waits."""
        while self._waiting:
            place = next(iter(self._waiting))
            del self._waiting[place]
            if _settle_place(place, True):
                self._report_change()
                return
        self.in_flight -= 1
        self._report_change()

    async def wait_idle(self) -> None:
        """Return once nobody is at work and nobody waits."""
        while self.in_flight or self._waiting:
            self._idle = self._idle or asyncio.Event()
            self._idle.clear()
            await self._idle.wait()

    def _report_change(self) -> None:
        if self._idle is not None and not self.in_flight and not self._waiting:
            self._idle.set()
        self._observer.admission_changed(self.in_flight, len(self._waiting))

    def _report_rejection(self, reason: RejectReason) -> None:
        self._observer.admission_rejected(reason)


def _settle_place(place: asyncio.Future[bool], granted: bool) -> bool:
    """Answer one who waits; False if nobody waits there any more."""
    if place.done():
        return False
    place.set_result(granted)
    return True
