"""Jobs of a gateway without Redis: they end with this process."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice

from reward_gateway.fair_queue import Priority

from .jobs import (
    COMBINED,
    FINAL,
    WORK,
    Delivery,
    DueCallback,
    JobLimits,
    JobView,
    NewJob,
    QueuedResults,
    Status,
    Submitted,
    TakenPiece,
    Waiting,
    Wakes,
    job_topic,
    queue_topic,
)


@dataclass(slots=True)
class _KeptJob:
    """A job in this process."""

    new: NewJob
    created: float
    progress: float
    inputs: dict[str, bytes]
    ahead: dict[str, bytes] = field(default_factory=dict)
    status: Status = "queued"
    completed: int = 0
    deliveries: list[Delivery | None] = field(default_factory=list)
    """In the order of their completion; None: it was acknowledged."""
    usage: dict[str, int] = field(default_factory=dict)
    groups: list[bytes] = field(default_factory=list)
    error: bytes | None = None
    cancelled: bool = False
    begun: int = 1
    """Pieces that have been put in line."""


@dataclass(slots=True)
class _Queued:
    job: str
    place: int
    delivery: Delivery
    until: float
    hidden_until: float = 0.0


@dataclass(slots=True)
class _Lease:
    worker: str
    until: float
    taken: TakenPiece
    lease_s: float


@dataclass(slots=True)
class _Lane:
    entries: deque[tuple[str, str]] = field(default_factory=deque)
    served: float = 0.0


class LocalJobs:
    """Implements :class:`.jobs.JobStore` in this process.

    Args:
        weights: by priority: parts that a lane gets while all wait.
        clock: seconds; None: the running loop's.
    """

    shared = False

    def __init__(self, weights: Mapping[Priority, int], clock: Callable[[], float] | None = None) -> None:
        self.wakes = Wakes()
        self._weights = weights
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._jobs: dict[tuple[str, str], _KeptJob] = {}
        self._lanes: dict[tuple[Priority, str], _Lane] = {}
        self._leases: dict[str, _Lease] = {}
        self._parked: dict[str, tuple[float, TakenPiece]] = {}
        self._keys: dict[str, tuple[str, str, float]] = {}
        self._queues: dict[tuple[str, str], dict[str, _Queued]] = {}
        self._names = count(1)
        self._expired = 0
        self._callbacks: dict[tuple[str, str], tuple[float, int]] = {}

    async def sync(self) -> bool:
        return False

    async def submit(self, new: NewJob, limits: JobLimits) -> Submitted:
        now = self._clock()
        self._forget(now)
        if new.key is not None and (known := self._keys.get(new.key[0])) is not None:
            return Submitted("same" if known[0] == new.key[1] else "conflict", known[1])
        live = [(tenant, job.new.samples) for (tenant, _), job in self._jobs.items() if job.status not in FINAL]
        held = sum(samples for _, samples in live)
        if held + new.samples > limits.samples or len(live) >= limits.jobs:
            return Submitted("full", "")
        if sum(samples for tenant, samples in live if tenant == new.tenant) + new.samples > limits.samples - held:
            return Submitted("share", "")
        inputs = {str(place): piece for place, piece in enumerate(new.inputs)}
        self._jobs[new.tenant, new.job] = _KeptJob(new, now, now, inputs)
        if new.key is not None:
            self._keys[new.key[0]] = new.key[1], new.job, now + new.expires_s
        self._lane(new).entries.append((new.job, "0"))
        self.wakes.wake(WORK)
        return Submitted("new", new.job)

    async def take(self, worker: str, lease_s: float) -> TakenPiece | None:
        now = self._clock()
        for entry, (until, parked) in list(self._parked.items()):
            if until <= now:
                self._put_in_line(parked)
                del self._parked[entry]
        for entry, lease in self._leases.items():
            if lease.until <= now and self._open_input(lease.taken) is not None:
                old = lease.taken
                taken = TakenPiece(
                    old.tenant, old.job, old.piece, old.head, old.input, old.times + 1, old.priority, entry
                )
                self._leases[entry] = _Lease(worker, now + lease_s, taken, lease_s)
                return taken
        for (priority, tenant), lane in sorted(self._lanes.items(), key=lambda item: item[1].served):
            while lane.entries:
                name, piece = lane.entries.popleft()
                job = self._jobs.get((tenant, name))
                if job is None or piece not in job.inputs or piece in job.ahead:
                    continue
                if piece.isdecimal() and job.begun < len(job.new.inputs):
                    lane.entries.append((name, str(job.begun)))
                    job.begun += 1
                if job.status == "queued":
                    job.status = "running"
                lane.served += 1 / self._weights[priority]
                entry = str(next(self._names))
                taken = TakenPiece(tenant, name, piece, job.new.head, job.inputs[piece], 1, priority, entry)
                self._leases[entry] = _Lease(worker, now + lease_s, taken, lease_s)
                return taken
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.entries}
        return None

    async def renew(self, taken: TakenPiece, worker: str) -> bool:
        lease = self._leases.get(taken.entry)
        if lease is None or lease.worker != worker or self._open_input(taken) is None:
            return False
        lease.until = self._clock() + lease.lease_s
        return True

    async def release(self, taken: TakenPiece, worker: str) -> None:
        lease = self._leases.get(taken.entry)
        if lease is not None and lease.worker == worker:
            lease.until = self._clock()
        elif taken.entry in self._parked:
            self._put_in_line(self._parked.pop(taken.entry)[1])
        self.wakes.wake(WORK)

    async def park(self, taken: TakenPiece, seconds: float) -> None:
        self._leases.pop(taken.entry, None)
        if self._open_input(taken) is not None:
            self._parked[taken.entry] = self._clock() + seconds, taken

    def _put_in_line(self, taken: TakenPiece) -> None:
        if (job := self._jobs.get((taken.tenant, taken.job))) is not None:
            self._lane(job.new).entries.append((taken.job, taken.piece))

    async def record(
        self, taken: TakenPiece, deliveries: Sequence[Delivery], usage: Mapping[str, int], groups: bytes = b""
    ) -> bool:
        self._leases.pop(taken.entry, None)
        self._parked.pop(taken.entry, None)
        job = self._jobs.get((taken.tenant, taken.job))
        if job is None or job.inputs.pop(taken.piece, None) is None:
            return False
        if groups:
            job.groups.append(groups)
        for name, number in usage.items():
            job.usage[name] = job.usage.get(name, 0) + number
        self._add(job, deliveries)
        if job.completed >= job.new.samples:
            self._finish(job, "cancelled" if job.cancelled else "done")
        self._tell(job)
        return True

    async def record_ahead(self, taken: TakenPiece, scored: bytes) -> bool:
        self._leases.pop(taken.entry, None)
        job = self._jobs.get((taken.tenant, taken.job))
        if job is None or taken.piece not in job.inputs or taken.piece in job.ahead:
            return False
        job.ahead[taken.piece] = scored
        job.progress = self._clock()
        if len(job.ahead) == len(job.inputs):
            job.inputs[COMBINED] = b""
            self._lane(job.new).entries.append((taken.job, COMBINED))
            self.wakes.wake(WORK)
        return True

    async def read_ahead(self, tenant: str, job: str) -> list[tuple[bytes, bytes]]:
        kept = self._jobs.get((tenant, job))
        return [] if kept is None else [(kept.inputs[piece], scored) for piece, scored in kept.ahead.items()]

    async def fail(self, taken: TakenPiece, error: bytes) -> bool:
        self._leases.pop(taken.entry, None)
        job = self._jobs.get((taken.tenant, taken.job))
        if job is None or job.inputs.pop(taken.piece, None) is None:
            return False
        job.error = error
        self._finish(job, "failed")
        self._tell(job)
        return True

    async def split(self, taken: TakenPiece, inputs: Sequence[bytes]) -> None:
        self._leases.pop(taken.entry, None)
        job = self._jobs.get((taken.tenant, taken.job))
        if job is None or taken.piece in job.ahead or job.inputs.pop(taken.piece, None) is None:
            return
        for place, piece in enumerate(inputs):
            job.inputs[f"{taken.piece}.{place}"] = piece
            self._lane(job.new).entries.append((taken.job, f"{taken.piece}.{place}"))
        self.wakes.wake(WORK)

    async def read(self, tenant: str, job: str, after: str, most: int) -> JobView | None:
        self._forget(self._clock())
        kept = self._jobs.get((tenant, job))
        if kept is None:
            return None
        start = int(after.partition("-")[0] or "0")
        later = [] if kept.new.together and kept.status not in FINAL else enumerate(kept.deliveries[start:], start + 1)
        there = ((place, delivery.results) for place, delivery in later if delivery is not None)
        shown = list(islice(there, most))
        cursor = str(shown[-1][0]) if shown else after
        return JobView(
            kept.status,
            kept.new.head,
            kept.new.samples,
            kept.completed,
            [results for _, results in shown],
            cursor,
            dict(kept.usage),
            kept.error,
            kept.progress - kept.created,
            next(there, None) is not None,
            tuple(kept.groups),
        )

    async def open_pieces(self, tenant: str, job: str) -> dict[str, bytes]:
        kept = self._jobs.get((tenant, job))
        return {} if kept is None else dict(kept.inputs)

    async def cancel(self, tenant: str, job: str, results: Mapping[str, Delivery]) -> bool:
        kept = self._jobs.get((tenant, job))
        if kept is None or kept.status in FINAL:
            return True
        kept.cancelled = True
        self._add(kept, [results[piece] for piece in results if kept.inputs.pop(piece, None) is not None])
        if kept.completed >= kept.new.samples:
            self._finish(kept, "cancelled")
        self._tell(kept)
        return not kept.inputs

    async def take_results(
        self, tenant: str, run: str, consumer: str, most: int, visibility_s: float
    ) -> list[QueuedResults]:
        now, found, rows = self._clock(), [], 0
        queue = self._queues.get((tenant, run), {})
        for receipt in [receipt for receipt, queued in queue.items() if queued.until < now]:
            del queue[receipt]
        for receipt, queued in queue.items():
            if rows >= most:
                break
            if queued.hidden_until > now:
                continue
            queued.hidden_until = now + visibility_s
            found.append(QueuedResults(receipt, queued.job, queued.delivery.results))
            rows += queued.delivery.rows
        return found

    async def acknowledge(self, tenant: str, run: str, receipts: Sequence[str]) -> int:
        queue = self._queues.get((tenant, run), {})
        known = [queued for receipt in receipts if (queued := queue.pop(receipt, None)) is not None]
        for queued in known:
            if (job := self._jobs.get((tenant, queued.job))) is not None and job.deliveries:
                job.deliveries[queued.place] = None
        return len(known)

    async def empty(self, tenant: str, run: str) -> int:
        return len(self._queues.pop((tenant, run), {}))

    async def take_callback(self, lease_s: float) -> DueCallback | None:
        now = self._clock()
        address = next((address for address, (due, _) in self._callbacks.items() if due <= now), None)
        if address is None:
            return None
        times = self._callbacks[address][1] + 1
        self._callbacks[address] = now + lease_s, times
        return DueCallback(*address, times)

    async def settle_callback(self, due: DueCallback, again_s: float | None) -> None:
        if again_s is None:
            self._callbacks.pop((due.tenant, due.job), None)
        else:
            self._callbacks[due.tenant, due.job] = self._clock() + again_s, due.times

    async def count_waiting(self) -> Waiting:
        now = self._clock()
        self._forget(now)
        expired, self._expired = self._expired, 0
        live = [job for job in self._jobs.values() if job.status not in FINAL]
        oldest = max((now - job.created for job in live), default=0.0)
        return Waiting(len(live), sum(job.new.samples for job in live), oldest, expired)

    def listen(self) -> None:
        """Who waits is woken in any case."""

    async def close(self) -> None:
        """Nothing to release."""

    def _lane(self, new: NewJob) -> _Lane:
        first = min((lane.served for lane in self._lanes.values()), default=0.0)
        return self._lanes.setdefault((new.priority, new.tenant), _Lane(served=first))

    def _open_input(self, taken: TakenPiece) -> bytes | None:
        job = self._jobs.get((taken.tenant, taken.job))
        return None if job is None or taken.piece in job.ahead else job.inputs.get(taken.piece)

    def _add(self, job: _KeptJob, deliveries: Sequence[Delivery]) -> None:
        first = len(job.deliveries)
        job.deliveries += deliveries
        job.completed += sum(delivery.rows for delivery in deliveries)
        job.progress = self._clock()
        if job.new.queue and not job.new.together:
            self._put(job, first)

    def _put(self, job: _KeptJob, first: int) -> None:
        """Put deliveries of a job into its run's queue, from this place on."""
        queue = self._queues.setdefault((job.new.tenant, job.new.run), {})
        until = self._clock() + job.new.expires_s
        for place, delivery in enumerate(job.deliveries[first:], first):
            if delivery is not None:
                queue[str(next(self._names))] = _Queued(job.new.job, place, delivery, until)

    def _finish(self, job: _KeptJob, status: Status) -> None:
        job.status = status
        job.inputs.clear()
        job.ahead.clear()
        if job.new.callback:
            self._callbacks[job.new.tenant, job.new.job] = self._clock(), 0
        if job.new.queue and job.new.together:
            self._put(job, 0)

    def _tell(self, job: _KeptJob) -> None:
        self.wakes.wake(job_topic(job.new.tenant, job.new.job))
        if job.new.queue:
            self.wakes.wake(queue_topic(job.new.tenant, job.new.run))

    def _forget(self, now: float) -> None:
        """Let jobs expire that have made no progress, and forget those that did so long ago."""
        for address, job in list(self._jobs.items()):
            idle_s = now - job.progress
            if idle_s > 2 * job.new.expires_s:
                del self._jobs[address]
            elif idle_s > job.new.expires_s and job.status != "expired":
                self._expired += job.status not in FINAL
                job.status = "expired"
                job.inputs.clear()
                job.ahead.clear()
                job.deliveries.clear()
        for key, (_, _, until) in list(self._keys.items()):
            if until < now:
                del self._keys[key]
        for entry, lease in list(self._leases.items()):
            if self._open_input(lease.taken) is None:
                del self._leases[entry]
