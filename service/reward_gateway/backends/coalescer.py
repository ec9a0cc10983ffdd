"""Coalesces the waiting rows of all requests for one model into infer calls.

A lone row does not wait for an idle model. While calls keep all instances of a model at work, rows gather until one is
answered, and as long as further ones come at once, for some milliseconds at most, and are sent together. What is in
flight is bounded by the time that it is predicted to take, and a call takes a share of every waiting request, by the
weight of its caller, so that a request of 4,096 rows does not delay one of a single row. The backend's encoder defines
what a row contains.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Generic, TypeVar

import numpy as np
import structlog

from reward_gateway.backends.call_sizes import CallSizes, InFlight
from reward_gateway.backends.encoded_rows import EncodeRows, Model, Piece, Rows, TakesLong
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.fair_queue import FairQueue, Share, current_share
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch, FloatArray, Invalid

log = structlog.get_logger(__name__)

MAX_CALL_BYTES = 64 << 20
"""Maximum bytes per call, so that images do not add up to a message of gigabytes; a larger row is sent alone."""

EXTRA_CALLS = 24
"""Extra calls that a request may cost, to find the rows that made a whole call fail."""

GATHER_S = 0.01
"""Seconds for which the rows of a call that is not full gather behind one that keeps all instances at work, unless that
is answered before. It would wait at the server meanwhile; and where a model answers within milliseconds and requests
come one at a time, each would have a call of its own, which costs more than the request."""

QUIET_TURNS = 12
"""Turns of the event loop without a further row, after which a call is sent where requests shared the one before: then
others are on their way. gRPC hands over one at most a turn, and each takes some turns to come to its rows. A turn in
which nothing happens takes microseconds; all together take no longer than :data:`GATHER_S`."""

LATE = Invalid("deadline_exceeded", "The deadline passed before the model answered.")
FULL = Invalid("overloaded", "Too many samples are waiting for this model; try again later.")
CLOSED = Invalid("model_unavailable", "The gateway is shutting down.")


@dataclass(slots=True)
class CallAnswer:
    """The answer to one call, rows in order: [m, K] values; reasons, flags and vectors by row."""

    values: FloatArray
    version: str
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    vectors: dict[int, bytes] = field(default_factory=dict)


class CallFailed(Exception):
    """A whole call failed. ``divisible``: some of its rows may be the cause, so that the others may succeed alone."""

    def __init__(self, reason: Invalid, *, divisible: bool) -> None:
        super().__init__(reason.message)
        self.reason = reason
        self.divisible = divisible


T = TypeVar("T")

Send = Callable[[Sequence[Piece[Rows]], float], Awaitable[CallAnswer]]
"""Sends pieces as one infer call with a deadline. Raises CallFailed."""


class Job(Generic[Rows]):
    """The rows of one request: which were sent, and which are answered."""

    __slots__ = (
        "answer",
        "deadline",
        "done",
        "extra_calls",
        "left",
        "next",
        "open",
        "rows",
        "share",
        "unanswered",
        "versions",
    )

    def __init__(self, rows: Rows, width: int, deadline: float, done: "asyncio.Future[None]", share: Share) -> None:
        self.rows = rows
        self.share = share
        self.deadline = deadline
        self.done = done
        self.next = 0
        self.left = rows.size
        self.open = True
        self.extra_calls = EXTRA_CALLS
        self.unanswered = bytearray(b"\x01") * rows.size
        self.versions: set[str] = set()
        values = np.empty((rows.size, width))
        values.fill(np.nan)
        self.answer = ModelAnswer(values)

    def store_values(self, start: int, stop: int, values: FloatArray, version: str) -> None:
        """Store the scores of some rows."""
        if values.shape[1] == self.answer.values.shape[1]:
            self.answer.values[start:stop] = values
            self.versions.add(version)
        else:
            changed = Invalid("model_error", "The model was replaced during the call; try again.")
            self.answer.invalid.update(dict.fromkeys(range(start, stop), changed))
        self._mark_answered(start, stop)

    def fail_rows(self, start: int, stop: int, reason: Invalid) -> None:
        self.answer.invalid.update(dict.fromkeys(range(start, stop), reason))
        self._mark_answered(start, stop)

    def close(self, reason: Invalid) -> None:
        """Finish now: unanswered rows get ``reason``."""
        if self.open:
            self.answer.invalid.update((row, reason) for row, waits in enumerate(self.unanswered) if waits)
            self._resolve_answer()

    def _mark_answered(self, start: int, stop: int) -> None:
        self.unanswered[start:stop] = bytes(stop - start)
        self.left -= stop - start
        if self.left == 0:
            self._resolve_answer()

    def _resolve_answer(self) -> None:
        self.open = False
        self.answer.version = next(iter(self.versions)) if len(self.versions) == 1 else None
        if not self.done.done():
            self.done.set_result(None)


@dataclass(slots=True, eq=False)
class Call(Generic[Rows]):
    """Pieces of jobs that are sent together.

    Attributes:
        size: number of rows.
        weight: the same in rows of usual length.
        bytes: of the rows.
        begun_at: when the server could begin with it; None while it has all its instances at work on earlier calls.
    """

    pieces: list[tuple[Job[Rows], int, int]]
    size: int
    weight: float
    bytes: int
    begun_at: float | None = None
    task: "asyncio.Task[None] | None" = None

    @property
    def has_waiting_job(self) -> bool:
        return any(job.open for job, _, _ in self.pieces)


class Coalescer(Generic[Model, Rows]):
    """The queue of one model.

    Args:
        name: name of the model, for the observer.
        encode: the backend's encoder.
        send: sends one infer call.
        max_calls: maximum calls in flight.
        max_in_flight_s: maximum predicted time of the calls in flight. A call per instance is always allowed, of at
            least one row.
        max_queued: maximum rows of one caller that wait; a request that exceeds it while others of the caller wait is
            ``overloaded``. So no caller fills the queue for another.
        takes_long: which rows are encoded in a thread; None: none are.
    """

    def __init__(
        self,
        name: str,
        encode: EncodeRows[Model, Rows],
        send: Send[Rows],
        *,
        max_calls: int,
        max_queued: int,
        max_in_flight_s: float = 0.05,
        takes_long: TakesLong[Model] | None = None,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._name = name
        self._encode = encode
        self._takes_long = takes_long
        self._closed = False
        self._send = send
        self._max_calls = max_calls
        self._max_queued = max_queued
        self._observer = observer
        self._max_rows = 1
        self._instances = 1
        self._sizes = CallSizes(max_in_flight_s)
        self._waiting: FairQueue[Job[Rows]] = FairQueue()
        self._alone: deque[tuple[Job[Rows], int, int]] = deque()
        self._calls: dict[Call[Rows], None] = {}  # in the order of sending
        self._queued: dict[str, int] = {}  # rows that wait, by caller; none has 0
        self._queued_rows = 0
        self._scheduled = False
        self._quiet_turns = 0
        self._send_by = self._sent_at = -math.inf
        self._shared = False  # the latest call held rows of several requests
        self._timer: asyncio.TimerHandle | None = None

    async def score(
        self,
        model: Model,
        batch: Batch,
        rows: Sequence[int],
        *,
        width: int,
        deadline: float,
        max_rows: int,
        instances: int = 1,
        max_calls: int | None = None,
    ) -> ModelAnswer:
        """Score rows of a batch: [n, ``width``]. A row that fails gets a reason.

        Args:
            max_rows: maximum rows per call.
            instances: number of calls that the model computes at a time.
            max_calls: maximum calls in flight from now on; None: as before.
        """
        self._max_calls = max_calls or self._max_calls
        self._max_rows, self._instances = max_rows, instances
        self._sizes.set_calls(instances, self._max_calls)
        if self._takes_long is not None and self._takes_long(model, batch, rows):
            encoded = await asyncio.to_thread(self._encode, model, batch, rows)
        else:
            encoded = self._encode(model, batch, rows)
        return encoded.spread_answer(await self._submit_rows(encoded.rows, width, deadline))

    async def _submit_rows(self, rows: Rows, width: int, deadline: float) -> ModelAnswer:
        """Queue encoded rows, and wait until they are answered or the deadline passes."""
        loop = asyncio.get_running_loop()
        job = Job(rows, width, deadline, loop.create_future(), current_share())
        if rows.size == 0 or deadline <= loop.time() or self._closed:
            job.close(CLOSED if self._closed else LATE)
            return job.answer
        own = self._queued.get(job.share.caller, 0)
        if own and own + rows.size > self._max_queued:
            job.close(FULL)
            self._observer.rows_refused(self._name, rows.size, "queue_full")
            return job.answer
        self._waiting.append(job.share, job)
        self._count_queued(job.share, rows.size)
        self._schedule_dispatch()
        timer = loop.call_at(deadline, job.close, LATE)
        try:
            await job.done
        finally:
            timer.cancel()
            if job.next < rows.size or job.left:
                self._withdraw_job(job)
        return job.answer

    async def close(self) -> None:
        """Fail every waiting row, and those still to come, and cancel the calls in flight."""
        self._closed = True
        for job in [*self._waiting, *(job for call in self._calls for job, _, _ in call.pieces)]:
            job.close(CLOSED)
        if self._timer is not None:
            self._timer.cancel()
        tasks = [call.task for call in self._calls if call.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _count_queued(self, share: Share, rows: int) -> None:
        waiting = self._queued.pop(share.caller, 0) + rows
        if waiting:
            self._queued[share.caller] = waiting
        self._queued_rows += rows

    def _report_queued(self) -> None:
        self._observer.rows_queued(self._name, self._queued_rows)

    def _withdraw_job(self, job: Job[Rows]) -> None:
        """Remove the rows of a caller that left or timed out; cancel calls that no other request waits for."""
        job.open = False
        self._waiting.discard(job.share, job)
        self._count_queued(job.share, job.next - job.rows.size)
        self._report_queued()
        job.next = job.rows.size
        for call in self._calls:
            if call.task is not None and not call.has_waiting_job:
                call.task.cancel()

    def _schedule_dispatch(self) -> None:
        self._quiet_turns = 0
        if not self._scheduled:
            self._scheduled = True
            loop = asyncio.get_running_loop()
            self._send_by = loop.time() + GATHER_S
            loop.call_soon(self._await_quiet)

    def _await_quiet(self) -> None:
        """Send calls now, or some turns later where more rows are likely to come at once."""
        loop = asyncio.get_running_loop()
        self._quiet_turns += 1
        if self._shared and self._quiet_turns < QUIET_TURNS and not self._is_full() and loop.time() < self._send_by:
            loop.call_soon(self._await_quiet)
        else:
            self._dispatch_calls()

    def _dispatch_calls(self) -> None:
        self._scheduled = False
        while (rows := self._count_room()) and (pieces := self._take_next_pieces(rows)):
            size = sum(stop - start for _, start, stop in pieces)
            taken = sum(job.rows.count_bytes(start, stop) for job, start, stop in pieces)
            call = Call(pieces, size, self._sizes.lengths.weigh(size, taken), taken)
            self._calls[call] = None
            self._sent_at = asyncio.get_running_loop().time()
            self._shared = len(pieces) > 1
            self._note_begun_calls()
            call.task = asyncio.get_running_loop().create_task(self._run_call(call))
        self._report_queued()
        self._schedule_next_call()

    def _schedule_next_call(self) -> None:
        """Send the next call when the time has come, though none in flight is answered before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (self._waiting or self._alone) and len(self._calls) < self._max_calls:
            wait_s = max(self._count_gathering_s(), self._sizes.predict_wait_s(self._in_flight()))
            if 0.0 < wait_s < math.inf:
                self._timer = asyncio.get_running_loop().call_later(wait_s, self._dispatch_calls)

    def _count_room(self) -> float:
        """Maximum rows of usual length of one more call, by the number of calls in flight and their time; 0: none may
        be sent."""
        if len(self._calls) >= self._max_calls:
            return 0.0
        if not self._is_full() and self._count_gathering_s() > 0.0:
            return 0.0
        return self._sizes.count_room(self._in_flight())

    def _is_full(self) -> bool:
        """Whether the next call is as large as one may be, or must hold what it holds alone."""
        return bool(self._alone) or self._queued_rows >= self._max_rows

    def _count_gathering_s(self) -> float:
        """Seconds for which rows still gather behind the latest call; not above 0: the next one may be sent."""
        if len(self._calls) < self._instances:
            return 0.0
        return self._sent_at + GATHER_S - asyncio.get_running_loop().time()

    def _in_flight(self) -> list[InFlight]:
        now = asyncio.get_running_loop().time()
        return [(call.weight, 0.0 if call.begun_at is None else now - call.begun_at) for call in self._calls]

    def _note_begun_calls(self) -> None:
        """The server computes the first calls in flight, one per instance."""
        for call in islice(self._calls, self._instances):
            if call.begun_at is None:
                call.begun_at = asyncio.get_running_loop().time()

    def _take_next_pieces(self, most: float) -> list[tuple[Job[Rows], int, int]]:
        """Take the pieces of the next call: one that must be sent alone, or a share of each waiting request in turn.

        Args:
            most: rows of usual length; one row may weigh more.
        """
        while self._alone:
            piece = self._alone.popleft()
            if piece[0].open:
                return [piece]
        pieces: list[tuple[Job[Rows], int, int]] = []
        lengths = self._sizes.lengths
        room, rows, weight = MAX_CALL_BYTES, self._max_rows, 0.0
        each = max(1.0, min(most, rows) // max(1, len(self._waiting)))
        while self._waiting and rows > 0 and weight < most:
            share, job = self._waiting.first()
            start = job.next
            heavy = lengths.weigh(1, job.rows.count_bytes(start, start + 1))
            stop = lengths.fit_rows(job.rows, start, min(max(each, heavy), most - weight))
            stop = job.rows.fit_rows(start, min(rows, stop - start), room)
            if stop == start and pieces:
                break
            stop = max(stop, start + 1)  # a single row that exceeds a limit is sent alone
            pieces.append((job, start, stop))
            taken = job.rows.count_bytes(start, stop)
            room -= taken
            rows -= stop - start
            weight += lengths.weigh(stop - start, taken)
            job.next = stop
            self._waiting.discard(share, job)
            self._waiting.charge(share, stop - start)
            self._count_queued(share, start - stop)
            if stop < job.rows.size:
                self._waiting.append(share, job)
        return pieces

    async def _run_call(self, call: Call[Rows]) -> None:
        loop = asyncio.get_running_loop()
        started, outcome, size = loop.time(), "cancelled", call.size
        self._observer.model_call_started(self._name, size)
        try:
            deadline = max(job.deadline for job, _, _ in call.pieces)
            answer = await self._send([Piece(job.rows, start, stop) for job, start, stop in call.pieces], deadline)
            self._distribute_answer(call, answer)
            if call.begun_at is not None:
                self._sizes.learn(size, call.bytes, loop.time() - call.begun_at, self._max_rows)
            outcome = "ok"
        except CallFailed as failure:
            outcome = failure.reason.code
            self._retry_or_fail(call, failure)
        except Exception as error:
            log.error("infer call failed", model=self._name, error=type(error).__name__, once_per=self._name)
            outcome = "internal_error"
            self._retry_or_fail(
                call, CallFailed(Invalid("internal_error", "The call to the model failed."), divisible=True)
            )
        finally:
            del self._calls[call]
            self._note_begun_calls()
            self._observer.model_call_finished(self._name, size, loop.time() - started, outcome)
            self._schedule_dispatch()

    def _distribute_answer(self, call: Call[Rows], answer: CallAnswer) -> None:
        """Give each job its rows of a call's answer."""
        at = 0
        for job, start, stop in call.pieces:
            end = at + stop - start
            if job.open:
                job.answer.calls += 1
                if answer.invalid:
                    job.answer.invalid |= _select_rows(answer.invalid, at, end, start)
                if answer.flags:
                    job.answer.flags |= _select_rows(answer.flags, at, end, start)
                if answer.vectors:
                    job.answer.vectors |= _select_rows(answer.vectors, at, end, start)
                job.store_values(start, stop, answer.values[at:end], answer.version)
            at = end

    def _retry_or_fail(self, call: Call[Rows], failure: CallFailed) -> None:
        """Retry a failed call so that no row fails because of another: each job alone, then a single job in halves."""
        pieces = [piece for piece in call.pieces if piece[0].open]
        for job, start, stop in pieces:
            job.answer.calls += 1
            cuts = [start, stop] if len(call.pieces) > 1 else [start, (start + stop) // 2, stop]
            again = list(pairwise(cuts)) if stop - start > 1 or len(call.pieces) > 1 else []
            if failure.divisible and again and job.extra_calls >= len(again):
                job.extra_calls -= len(again)
                self._alone.extend((job, first, last) for first, last in again)
            else:
                job.fail_rows(start, stop, failure.reason)


def _select_rows(by_row: dict[int, T], at: int, end: int, start: int) -> dict[int, T]:
    """The entries for a call's rows ``at:end``, renumbered as rows of the job, which has them from ``start``."""
    return {start + row - at: value for row, value in by_row.items() if at <= row < end}
