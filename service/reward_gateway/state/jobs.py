"""Jobs: bodies that are scored later, in pieces, by whichever worker is free; and the queues of their results by run.

A piece is leased to a worker, which renews the lease. A worker that dies loses it, and another goes on. The first
results that are recorded of a piece are its answer, and they reach the run's queue in the same step.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from reward_gateway.fair_queue import Priority

Status = Literal["queued", "running", "done", "cancelled", "failed", "expired"]

FINAL: frozenset[Status] = frozenset(("done", "cancelled", "failed", "expired"))
"""What a job does not leave again."""

WORK = "work"
"""The topic of jobs that have come."""

COMBINED = "all"
"""Name of the piece in which all that was scored ahead is combined."""

LONGEST_VISIBILITY_S = 3600.0
"""Longest time for which a result stays with the consumer that was given it."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to keep.

    Attributes:
        head: what every piece needs, in the form of whoever scores them.
        run: the training run; empty if the request named none.
        queue: its results go to the run's queue, too.
        together: its results are delivered once all of them are there.
        inputs: one per piece.
        expires_s: seconds without progress after which it is forgotten.
        callback: its end is told to somebody.
        key: address of the request's idempotency key, and a digest of its body; None: it has none.
    """

    tenant: str
    job: str
    head: bytes
    samples: int
    inputs: Sequence[bytes]
    priority: Priority = "training"
    run: str = ""
    queue: bool = False
    together: bool = False
    expires_s: float = 3600.0
    key: tuple[str, str] | None = None
    callback: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a new job.

    Attributes:
        outcome: ``same``: its key was sent before, for the same body, and ``job`` is that job; ``conflict``: for
            another one; ``full``: too much waits; ``share``: too much of this tenant's does.
    """

    outcome: Literal["new", "same", "conflict", "full", "share"]
    job: str


@dataclass(frozen=True, slots=True)
class TakenPiece:
    """A piece under lease.

    Attributes:
        times: how often it was leased, this time included.
        entry: its place in line.
        run: of the job; empty if it has none.
    """

    tenant: str
    job: str
    piece: str
    head: bytes
    input: bytes
    times: int
    priority: Priority
    entry: str
    run: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Results that are delivered together: a JSON list, and how many there are."""

    results: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as its owner sees it.

    Attributes:
        deliveries: those recorded since, in the order of their completion.
        cursor: of the last of them.
        usage: sums by name.
        error: why the job failed, as JSON; None: it did not.
        seconds: from its submission to its latest progress.
        more: there are further deliveries than those.
        groups: what was recorded of the groups of its pieces.
    """

    status: Status
    head: bytes
    samples: int
    completed: int
    deliveries: list[bytes]
    cursor: str
    usage: dict[str, int]
    error: bytes | None
    seconds: float
    more: bool
    groups: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class QueuedResults:
    """A delivery in a run's queue; ``receipt`` acknowledges it."""

    receipt: str
    job: str
    results: bytes


@dataclass(frozen=True, slots=True)
class DueCallback:
    """The end of a job that is to be told to somebody; ``times``: how often this was tried, this time included."""

    tenant: str
    job: str
    times: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in all: jobs that are not finished, their samples, and the age of the oldest in seconds; and how many
    jobs have expired that were not counted before."""

    jobs: int
    samples: int
    oldest_s: float
    expired: int


class Wakes:
    """Wakes those who wait for something to be new of a topic: :data:`WORK`, a job or a queue."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def watch(self, topic: str) -> Iterator[asyncio.Event]:
        """An event that is set as soon as anything is new from now on."""
        event = asyncio.Event()  # one for each that waits, so that one that leaves takes nothing from the others
        self._events.setdefault(topic, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._events[topic]
            waiting.discard(event)
            if not waiting:
                del self._events[topic]

    def wake(self, topic: str) -> None:
        """Tell those who watch a topic."""
        for event in self._events.get(topic, ()):
            event.set()


@dataclass(frozen=True, slots=True)
class JobLimits:
    """Most samples and jobs that wait in all."""

    samples: int = 1 << 20
    jobs: int = 4096


class JobStore(Protocol):
    """The jobs of all processes. Every call may raise StateUnavailable."""

    wakes: Wakes

    @property
    def shared(self) -> bool:
        """Whether other processes see the same jobs, and they outlive this one."""

    async def sync(self) -> bool:
        """Wait until what was written is safe on disk; False where that cannot be had."""

    async def submit(self, new: NewJob, limits: JobLimits) -> Submitted:
        """Keep a job and put it in line."""

    async def take(self, worker: str, lease_s: float) -> TakenPiece | None:
        """Lease the next piece; None if nothing is to be done."""

    async def renew(self, taken: TakenPiece, worker: str) -> bool:
        """Renew the lease; False if it is lost, or nobody wants the piece any more."""

    async def release(self, taken: TakenPiece, worker: str) -> None:
        """Give a piece up, leased or parked, so that another worker may take it at once."""

    async def park(self, taken: TakenPiece, seconds: float) -> None:
        """Take a piece out of the line, without a lease, while its worker waits for other samples; it is put back in
        line unless its results are recorded within that time."""

    async def record(
        self, taken: TakenPiece, deliveries: Sequence[Delivery], usage: Mapping[str, int], groups: bytes = b""
    ) -> bool:
        """Record a piece's results, and what its groups are like; False if others were recorded, or the job is gone."""

    async def record_ahead(self, taken: TakenPiece, scored: bytes) -> bool:
        """Record what was scored of a piece before all of them are combined; False if something was before, or the job
        is gone. After the last piece, :data:`COMBINED` is put in line, whose input is empty."""

    async def read_ahead(self, tenant: str, job: str) -> list[tuple[bytes, bytes]]:
        """The input of every piece of a job, and what :meth:`record_ahead` recorded of it."""

    async def fail(self, taken: TakenPiece, error: bytes) -> bool:
        """End a job that cannot be scored; the error is JSON."""

    async def split(self, taken: TakenPiece, inputs: Sequence[bytes]) -> None:
        """Replace a piece by parts of it."""

    async def read(self, tenant: str, job: str, after: str, most: int) -> JobView | None:
        """A job, with at most so many of its deliveries; None if there is none."""

    async def open_pieces(self, tenant: str, job: str) -> dict[str, bytes]:
        """The inputs of the pieces that have no results."""

    async def cancel(self, tenant: str, job: str, results: Mapping[str, Delivery]) -> bool:
        """Answer pieces instead of whoever would; True once none is open, and the job is cancelled or was finished."""

    async def take_results(
        self, tenant: str, run: str, consumer: str, most: int, visibility_s: float
    ) -> list[QueuedResults]:
        """About so many results of a run's queue, for one consumer; the others do not get them for that time."""

    async def acknowledge(self, tenant: str, run: str, receipts: Sequence[str]) -> int:
        """Remove results from a run's queue, and from their jobs; returns how many deliveries were there."""

    async def empty(self, tenant: str, run: str) -> int:
        """Remove all results from a run's queue, not from their jobs; returns how many deliveries were there."""

    async def take_callback(self, lease_s: float) -> DueCallback | None:
        """A callback that is due, for one worker; the others do not get it for that time. None: none is."""

    async def settle_callback(self, due: DueCallback, again_s: float | None) -> None:
        """Have a callback due again in so many seconds; None: it is done."""

    async def count_waiting(self) -> Waiting:
        """What waits in all; forgets what has expired."""

    def listen(self) -> None:
        """Wake those who wait here for what is new anywhere, from now on."""

    async def close(self) -> None: ...


def queue_topic(tenant: str, run: str) -> str:
    """The topic of a run's queue."""
    return f"{tenant}/{run}/results"


def job_topic(tenant: str, job: str) -> str:
    """The topic of a job."""
    return f"{tenant}/{job}"
