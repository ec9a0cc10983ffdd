"""Admission control: a bounded number of requests in flight, a bounded queue, and fast rejection of the rest.

Without it, an overloaded server answers every request late. With it, most are answered in time and the others are
rejected at once with a time to retry. A request waits only if it will probably be admitted in time: the wait is
predicted from the rate at which requests are completed. Callers share the slots by the weight of their priority. A slot
is always released: after an answer, an error or a disconnect; and before, by a request that only waits for others.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reward_gateway.errors import DeadlineExceeded, Overloaded
from reward_gateway.fair_queue import WEIGHTS, FairQueue, Share, current_share
from reward_gateway.observer import UNOBSERVED, Observer, RejectReason
from reward_gateway.parking import holding

from .completion_rate import CompletionRate


class Admission:
    """Admission control of one process.

    Args:
        max_in_flight: maximum requests processed concurrently.
        max_queued: maximum requests that wait. When it is reached, a newcomer takes the place of the newest request of
            the caller with the most waiting, or is rejected if that caller is its own.
        queue_timeout_s: maximum wait for a slot.
        max_queue_wait_s: maximum predicted wait; a request that would wait longer is rejected at once.
    """

    def __init__(
        self,
        max_in_flight: int,
        max_queued: int,
        queue_timeout_s: float,
        observer: Observer = UNOBSERVED,
        *,
        max_queue_wait_s: float | None = None,
    ) -> None:
        self.max_in_flight = max_in_flight
        self.max_queued = max_queued
        self.queue_timeout_s = queue_timeout_s
        self.max_queue_wait_s = queue_timeout_s if max_queue_wait_s is None else max_queue_wait_s
        self.in_flight = 0
        self.parked = 0
        """Requests that only wait for others, and hold no slot."""
        self._observer = observer
        self._waiting: FairQueue[asyncio.Future[RejectReason | None]] = FairQueue()
        self._rate = CompletionRate(max_in_flight)
        self._queue_reported = False

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def predict_wait_s(self) -> float:
        """Seconds that a request of the current share would wait now; 0 if a slot is free."""
        if self._has_free_slot():
            return 0.0
        now = asyncio.get_running_loop().time()
        return self._rate.predict_s(self._waiting.count_ahead(current_share()) + 1, now)

    def check_wait(self, deadline: float | None = None) -> None:
        """Reject a request that :meth:`acquire` would reject now, before anything is done for it.

        Args:
            deadline: time on the running loop's clock after which the request stops waiting.

        Raises:
            Overloaded: the queue is full, or the predicted wait exceeds ``max_queue_wait_s`` or the deadline.
        """
        if self._has_free_slot():
            return
        share = current_share()
        if self.queued >= self.max_queued and (not self.queued or self._waiting.find_longest(share) == share):
            raise self._make_rejection("queue_full")
        wait_s = self.predict_wait_s()
        left_s = self.max_queue_wait_s
        if deadline is not None:
            left_s = min(left_s, deadline - asyncio.get_running_loop().time())
        if wait_s > left_s:
            raise self._make_rejection("predicted_wait")

    @asynccontextmanager
    async def enter(self, deadline: float | None = None) -> AsyncIterator[None]:
        """Hold a slot for the body of the ``async with``.

        Args:
            deadline: time on the running loop's clock after which the request stops waiting.

        Raises:
            Overloaded: the queue is full, the predicted wait is too long, or the wait exceeded ``queue_timeout_s``.
            DeadlineExceeded: the request's own deadline passed while it waited.
        """
        await self.acquire(deadline)
        with self.occupy():
            yield

    def occupy(self) -> "_Slot":
        """The slot of an :meth:`acquire` as a context manager, which releases it at its end."""
        return _Slot(self)

    async def acquire(self, deadline: float | None = None) -> None:
        """Take a slot, waiting in the queue for it. Prefer :meth:`enter`; each acquire needs one :meth:`occupy` or
        :meth:`release`."""
        if self._has_free_slot():
            self.in_flight += 1
            self._observer.admission_passed(current_share().priority, 0.0)
            self._report_change()
            return
        self.check_wait(deadline)
        if self.queued >= self.max_queued:
            self._reject_newest(current_share(), "queue_full")
        await self._wait_in_line(deadline)

    async def _wait_in_line(self, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        share = current_share()
        began = loop.time()
        late = began + self.queue_timeout_s
        by_deadline = deadline is not None and deadline < late
        place: asyncio.Future[RejectReason | None] = loop.create_future()
        if not self._waiting:
            self._rate.resume(loop.time())
        self._waiting.append(share, place)
        self._report_change()
        reason: RejectReason = "deadline" if by_deadline else "queue_timeout"
        alarm = loop.call_at(deadline if by_deadline and deadline is not None else late, _settle_place, place, reason)
        try:
            rejected = await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.result() is None:
                self.release()  # granted just as the caller was cancelled: pass it on
            raise
        finally:
            alarm.cancel()
            if self._waiting.discard(share, place):
                self._note_emptiness()
                self._report_change()
        if rejected == "deadline":
            self._observer.admission_rejected("deadline")
            raise DeadlineExceeded("the deadline passed while the request waited in the queue")
        if rejected is not None:
            raise self._make_rejection(rejected)
        self._observer.admission_passed(share.priority, loop.time() - began)

    def release(self) -> None:
        """Release a slot: the next request in the queue gets it, if one waits."""
        if not self._waiting:
            self.in_flight -= 1
            self._report_change()
            return
        self._rate.count_completion(asyncio.get_running_loop().time())
        granted = False
        while self._waiting and not granted:
            granted = _settle_place(self._waiting.take(), None)
        if not granted:
            self.in_flight -= 1
        self._reject_hopeless()
        self._note_emptiness()
        self._report_change()

    def _has_free_slot(self) -> bool:
        return self.in_flight < self.max_in_flight and not self._waiting

    def _reject_hopeless(self) -> None:
        """Reject those at the end of the queue who would time out: requests fell behind the predicted rate, or came
        before one was known. They have waited already, so it must be sure."""
        now = asyncio.get_running_loop().time()
        longest_s = self.queue_timeout_s * (1.0 if self._rate.is_settled else 2.0)
        while self._waiting and self._rate.predict_s(len(self._waiting), now) > longest_s:
            self._reject_newest(None, "predicted_wait")

    def _reject_newest(self, newcomer: Share | None, reason: RejectReason) -> None:
        place = self._waiting.pop_newest(self._waiting.find_longest(newcomer))
        _settle_place(place, reason)

    def _note_emptiness(self) -> None:
        if not self._waiting:
            self._rate.pause(asyncio.get_running_loop().time())

    def _make_rejection(self, reason: RejectReason) -> Overloaded:
        """Count a rejection; the error says when to try again: once what waits now is done."""
        self._observer.admission_rejected(reason)
        return Overloaded(_MESSAGES[reason], retry_after_s=max(1.0, self.predict_wait_s()))

    def _report_change(self) -> None:
        queued = len(self._waiting)
        self._observer.admission_changed(self.in_flight, queued)
        if queued or self._queue_reported:
            self._queue_reported = queued > 0
            wait_s = self._rate.predict_s(queued + 1, asyncio.get_running_loop().time())
            waiting: dict[str, int] = {priority: self._waiting.count(priority) for priority in WEIGHTS}
            self._observer.admission_queue_changed(waiting, wait_s if queued else 0.0)


class _Slot(holding):
    """A slot that is held in the ``with`` block, unless the request parks.

    At most ``max_queued`` are parked at a time: the others keep their slots.
    """

    __slots__ = ("_admission", "_parked")

    def __init__(self, admission: Admission) -> None:
        super().__init__(self)
        self._admission, self._parked = admission, False

    def park(self, _seconds: float) -> None:
        admission = self._admission
        if not self._parked and admission.parked < admission.max_queued:
            self._parked = True
            admission.parked += 1
            admission.release()

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        if self._parked:
            self._admission.parked -= 1
        else:
            self._admission.release()


_MESSAGES: dict[RejectReason, str] = {
    "queue_full": "the request queue is full; try again later",
    "queue_timeout": "the request waited in the queue for too long; try again later",
    "predicted_wait": "too many requests are waiting for this one to be answered in time; try again later",
}


def _settle_place(place: "asyncio.Future[RejectReason | None]", rejected: RejectReason | None) -> bool:
    """Resolve a waiting request's future: None grants the slot; False if it no longer waits."""
    if place.done():
        return False
    place.set_result(rejected)
    return True
