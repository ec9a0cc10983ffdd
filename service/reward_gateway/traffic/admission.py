"""Admission control: a bounded number of requests in flight, a bounded FIFO queue, and fast rejection of the rest.

Without it, an overloaded server answers every request late. With it, most are answered in time and the others are
rejected at once with a time to retry. A slot is held from before the body is read until the last byte of the answer,
and is always released: after an answer, an error or a disconnect.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reward_gateway.errors import DeadlineExceeded, Overloaded
from reward_gateway.observer import UNOBSERVED, Observer, RejectReason


class Admission:
    """Admission control of one process.

    Args:
        max_in_flight: maximum requests processed concurrently.
        max_queued: maximum requests that wait; further ones are rejected.
        queue_timeout_s: maximum wait for a slot.
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
        """Hold a slot for the body of the ``async with``.

        Args:
            deadline: time on the running loop's clock after which the request stops waiting.

        Raises:
            Overloaded: the queue is full, or the wait exceeded ``queue_timeout_s``.
            DeadlineExceeded: the request's own deadline passed while it waited.
        """
        await self.acquire(deadline)
        try:
            yield
        finally:
            self.release()

    async def acquire(self, deadline: float | None = None) -> None:
        """Take a slot, waiting in the queue for it. Prefer :meth:`enter`; each acquire needs one :meth:`release`."""
        if self.in_flight < self.max_in_flight and not self._waiting:
            self.in_flight += 1
            self._report_change()
            return
        if self.queued >= self.max_queued:
            self._report_rejection("queue_full")
            raise Overloaded("the request queue is full; try again later")
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
                self.release()  # granted just as the caller was cancelled: pass it on
            raise
        finally:
            alarm.cancel()
            if self._waiting.pop(place, place) is None:
                self._report_change()
        if granted:
            return
        if by_deadline:
            self._report_rejection("deadline")
            raise DeadlineExceeded("the deadline passed while the request waited in the queue")
        self._report_rejection("queue_timeout")
        raise Overloaded("the request waited in the queue for too long; try again later")

    def release(self) -> None:
        """Release a slot: the first request in the queue gets it, if one waits."""
        while self._waiting:
            place = next(iter(self._waiting))
            del self._waiting[place]
            if _settle_place(place, True):
                self._report_change()
                return
        self.in_flight -= 1
        self._report_change()

    async def wait_idle(self) -> None:
        """Return once no request is in flight and none waits."""
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
    """Resolve a waiting request's future; False if it no longer waits."""
    if place.done():
        return False
    place.set_result(granted)
    return True
