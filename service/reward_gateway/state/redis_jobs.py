"""Jobs in Redis or Valkey: streams with consumer groups, for the line of pieces and for the queues of results.

A lane (a tenant at one priority) is a stream whose entries are pieces, one per job; the workers are its group, so that
leases, their loss and how often a piece was handed out are the stream's own. A run's queue is a stream whose group are
its consumers.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from reward_gateway.append_only import sync_folder
from reward_gateway.fair_queue import Priority
from reward_gateway.tasks import end_task

from .epoch import StoreEpoch
from .jobs import (
    COMBINED,
    LONGEST_VISIBILITY_S,
    Delivery,
    DueCallback,
    JobLimits,
    JobView,
    NewJob,
    QueuedResults,
    Submitted,
    TakenPiece,
    Waiting,
    Wakes,
)
from .namespace import LEGACY, PREFIX, Namespace, make_tenant_prefix
from .redis_store import TIMEOUT_S, RedisScripts

LANES = f"{LEGACY}jobs:lanes"
"""Redis key of the lanes by what each was served; the channel of what is new has the same name."""

LANE = f"{LEGACY}jobs:lane:"
LIVE, LIVE_SAMPLES = f"{LEGACY}jobs:live", f"{LEGACY}jobs:live-samples"

CALLBACKS, CALLBACKS_TAKEN = f"{LEGACY}jobs:callbacks", f"{LEGACY}jobs:callbacks-taken"

PARKED = f"{LEGACY}jobs:parked"
"""Redis key of the pieces that wait for other samples, by the time at which they come back into line."""

RELEASED_MS = 86_400_000
"""How long a piece that was given up counts as idle: longer than any lease."""

SYNC_MS = 2_000
"""Longest wait for the append-only file."""


def job_keys(tenant: str, job: str) -> tuple[str, str, str]:
    """Redis keys of a job: itself, its inputs, its results."""
    prefix = f"{make_tenant_prefix(tenant)}jobs:"
    return f"{prefix}job:{job}", f"{prefix}in:{job}", f"{prefix}out:{job}"


def ahead_key(tenant: str, job: str) -> str:
    """Redis key of what was scored ahead of the pieces of a job."""
    return f"{make_tenant_prefix(tenant)}jobs:ahead:{job}"


def queue_key(tenant: str, run: str) -> str:
    """Redis key of a run's queue."""
    return f"{Namespace(tenant, run).run_keys}jobs:results"


class RedisJobs(RedisScripts):
    """Implements :class:`.jobs.JobStore` in Redis.

    Args:
        weights: by priority: parts that a lane gets while all wait.
        subscriber: a client for what is new; None: nobody is woken, and all ask again in time.
        written: folder of the server's append-only files, where they are on this machine; None: the server is asked.
    """

    shared = True

    def __init__(
        self,
        client: Redis,
        timeout_s: float = TIMEOUT_S,
        epoch: StoreEpoch | None = None,
        *,
        weights: Mapping[Priority, int],
        subscriber: Redis | None = None,
        written: Path | None = None,
    ) -> None:
        super().__init__(client, timeout_s, epoch)
        self.wakes = Wakes()
        self._weights: list[Any] = [part for name, weight in weights.items() for part in (name, weight)]
        self._subscriber = subscriber
        self._written = written
        self._listener: asyncio.Task[None] | None = None
        self._syncing: asyncio.Task[bool] | None = None
        self._next_sync: asyncio.Task[bool] | None = None

    async def sync(self) -> bool:
        """As :meth:`.jobs.JobStore.sync`; calls that come while the disk is written share the next write."""
        if self._syncing is not None and not self._syncing.done():
            if self._next_sync is None:
                self._next_sync = asyncio.create_task(self._sync_after(self._syncing), name="job-sync")
            return await asyncio.shield(self._next_sync)
        self._syncing = asyncio.create_task(self._sync(), name="job-sync")
        return await asyncio.shield(self._syncing)

    async def _sync_after(self, running: "asyncio.Task[bool]") -> bool:
        await asyncio.wait({running})
        self._syncing, self._next_sync = self._next_sync, None
        return await self._sync()

    async def _sync(self) -> bool:
        if self._written is not None:
            try:
                await asyncio.to_thread(sync_folder, self._written)
            except OSError:
                return False
            return True
        async with self._limit_time():
            try:
                async with self._client.pipeline(transaction=False) as pipeline:
                    pipeline.execute_command("INCR", f"{LEGACY}jobs:synced")  # all that was written stands before it
                    pipeline.execute_command("WAITAOF", 1, 0, SYNC_MS)
                    answers = await pipeline.execute(raise_on_error=False)
            except RedisError:
                return False
        reached = answers[-1]
        return isinstance(reached, list) and int(reached[0]) >= 1

    async def submit(self, new: NewJob, limits: JobLimits) -> Submitted:
        lane = f"{new.priority}/{new.tenant}"
        address, digest = new.key or ("", "")
        key = f"{make_tenant_prefix(new.tenant)}jobs:key:{address}"
        job, inputs, results = job_keys(new.tenant, new.job)
        keys = [job, inputs, LANES, LIVE, LIVE_SAMPLES, key, LANE + lane, results]
        member = f"{new.tenant}/{new.job}"
        arguments = [lane, member, new.job, digest, limits.samples, limits.jobs, _to_ms(new.expires_s), new.head]
        arguments += [new.samples, new.run, int(new.queue), int(new.together), new.tenant, int(new.callback)]
        arguments += new.inputs
        outcome, known = await self.run_script("submit_job", keys, arguments)
        return Submitted(outcome.decode(), known.decode())

    async def take(self, worker: str, lease_s: float) -> TakenPiece | None:
        arguments = [worker, _to_ms(lease_s), LANE, f"{PREFIX}/", *self._weights]
        found = await self.run_script("take_piece", [LANES, PARKED], arguments)
        if not found:
            return None
        tenant, job, piece, head, piece_input, times, priority, entry, run = found
        return TakenPiece(
            tenant.decode(),
            job.decode(),
            piece.decode(),
            head,
            piece_input,
            int(times),
            priority.decode(),
            entry.decode(),
            run.decode(),
        )

    async def renew(self, taken: TakenPiece, worker: str) -> bool:
        keys = [self._lane_of(taken), job_keys(taken.tenant, taken.job)[1]]
        return bool(await self.run_script("renew_piece", keys, [taken.entry, worker, taken.piece]))

    async def release(self, taken: TakenPiece, worker: str) -> None:
        keys = [self._lane_of(taken), LANES, PARKED]
        parked = f"{taken.job} {taken.piece} {taken.priority}/{taken.tenant}"
        await self.run_script("release_piece", keys, [taken.entry, worker, RELEASED_MS, parked])

    async def park(self, taken: TakenPiece, seconds: float) -> None:
        keys = [self._lane_of(taken), job_keys(taken.tenant, taken.job)[1], PARKED]
        lane = f"{taken.priority}/{taken.tenant}"
        await self.run_script("park_piece", keys, [taken.entry, lane, taken.job, taken.piece, _to_ms(seconds)])

    async def record(
        self, taken: TakenPiece, deliveries: Sequence[Delivery], usage: Mapping[str, int], groups: bytes = b""
    ) -> bool:
        return await self._record(taken, deliveries, usage, groups=groups)

    async def record_ahead(self, taken: TakenPiece, scored: bytes) -> bool:
        job, inputs, _ = job_keys(taken.tenant, taken.job)
        keys = [job, inputs, ahead_key(taken.tenant, taken.job), self._lane_of(taken), LANES, LIVE]
        lane, member = f"{taken.priority}/{taken.tenant}", f"{taken.tenant}/{taken.job}"
        arguments = [taken.piece, taken.entry, taken.job, member, lane, scored, COMBINED]
        return bool(await self.run_script("record_ahead", keys, arguments))

    async def read_ahead(self, tenant: str, job: str) -> list[tuple[bytes, bytes]]:
        inputs, scored = map(
            _to_dict,
            await self.read_commands(("HGETALL", job_keys(tenant, job)[1]), ("HGETALL", ahead_key(tenant, job))),
        )
        return [(inputs[piece], data) for piece, data in scored.items() if piece in inputs]

    async def fail(self, taken: TakenPiece, error: bytes) -> bool:
        return await self._record(taken, (), {}, "failed", error)

    async def split(self, taken: TakenPiece, inputs: Sequence[bytes]) -> None:
        parts = [part for place, piece in enumerate(inputs) for part in (f"{taken.piece}.{place}", piece)]
        keys = [job_keys(taken.tenant, taken.job)[1], self._lane_of(taken), ahead_key(taken.tenant, taken.job)]
        await self.run_script("split_piece", keys, [taken.piece, taken.entry, taken.job, *parts])

    async def read(self, tenant: str, job: str, after: str, most: int) -> JobView | None:
        key, _, results = job_keys(tenant, job)
        start = f"({after}" if after else "-"
        fields, found, clock = await self.read_commands(
            ("HGETALL", key), ("XRANGE", results, start, "+", "COUNT", most + 1), ("TIME",)
        )
        kept = _to_dict(fields)
        if not kept:
            return None
        status: Any = kept[b"status"].decode()
        now_ms = int(clock[0]) * 1000 + int(clock[1]) // 1000
        if now_ms > int(kept[b"progress"]) + int(kept[b"expires"]):
            status, found = "expired", []
        hidden = kept[b"together"] == b"1" and status in ("queued", "running")
        shown = [] if hidden else found[:most]
        return JobView(
            status,
            kept[b"head"],
            int(kept[b"samples"]),
            int(kept[b"completed"]),
            [_to_dict(entry)[b"results"] for _, entry in shown],
            shown[-1][0].decode() if shown else after,
            {name[6:].decode(): int(value) for name, value in kept.items() if name.startswith(b"usage:")},
            kept.get(b"error") or None,
            (int(kept[b"progress"]) - int(kept[b"created"])) / 1e3,
            len(shown) < len(found) and not hidden,
            [value for name, value in kept.items() if name.startswith(b"groups:")],
        )

    async def open_pieces(self, tenant: str, job: str) -> dict[str, bytes]:
        (fields,) = await self.read_commands(("HGETALL", job_keys(tenant, job)[1]))
        return {piece.decode(): piece_input for piece, piece_input in _to_dict(fields).items()}

    async def cancel(self, tenant: str, job: str, results: Mapping[str, Delivery]) -> bool:
        view = await self.read(tenant, job, "", 1)
        if view is None:
            return True
        (run,) = await self.read_commands(("HGET", job_keys(tenant, job)[0], "run"))
        for piece, delivery in results.items():
            taken = TakenPiece(tenant, job, piece, view.head, b"", 0, "batch", "", (run or b"").decode())
            await self._record(taken, (delivery,), {}, "cancelled")
        return not await self.open_pieces(tenant, job)

    async def take_results(
        self, tenant: str, run: str, consumer: str, most: int, visibility_s: float
    ) -> list[QueuedResults]:
        results_prefix = job_keys(tenant, "")[2]
        arguments = [consumer, most, _to_ms(visibility_s), _to_ms(LONGEST_VISIBILITY_S), results_prefix]
        found = await self.run_script("take_results", [queue_key(tenant, run)], arguments)
        return [QueuedResults(receipt.decode(), job.decode(), results) for receipt, job, results in found]

    async def acknowledge(self, tenant: str, run: str, receipts: Sequence[str]) -> int:
        arguments = [job_keys(tenant, "")[2], *receipts]
        return int(await self.run_script("acknowledge_results", [queue_key(tenant, run)], arguments))

    async def empty(self, tenant: str, run: str) -> int:
        return int(await self.run_script("empty_queue", [queue_key(tenant, run)], []))

    async def take_callback(self, lease_s: float) -> DueCallback | None:
        found = await self.run_script("take_callback", [CALLBACKS, CALLBACKS_TAKEN], [_to_ms(lease_s)])
        if not found:
            return None
        tenant, _, job = found[0].decode().rpartition("/")
        return DueCallback(tenant, job, int(found[1]))

    async def settle_callback(self, due: DueCallback, again_s: float | None) -> None:
        arguments = [f"{due.tenant}/{due.job}", 0 if again_s is None else _to_ms(again_s)]
        await self.run_script("settle_callback", [CALLBACKS, CALLBACKS_TAKEN], arguments)

    async def count_waiting(self) -> Waiting:
        expired, now_ms, live = await self.run_script("count_jobs", [LIVE, LIVE_SAMPLES], [])
        held = [tuple(map(int, value.split())) for value in live]
        oldest_s = max((now_ms - begun for _, begun in held), default=0) / 1e3
        return Waiting(len(held), sum(samples for samples, _ in held), max(0.0, oldest_s), expired)

    async def close(self) -> None:
        await end_task(self._listener)
        if self._subscriber is not None:
            await self._subscriber.aclose()

    def listen(self) -> None:
        """Wake those who wait here for what is new anywhere, from now on."""
        if self._subscriber is not None and self._listener is None:
            self._listener = asyncio.create_task(self._listen(self._subscriber), name="job-news")

    async def _listen(self, subscriber: Redis) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                async with subscriber.pubsub() as subscription:
                    await subscription.subscribe(LANES)
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            self.wakes.wake(message["data"].decode())
            await asyncio.sleep(0.5)

    def _lane_of(self, taken: TakenPiece) -> str:
        return f"{LANE}{taken.priority}/{taken.tenant}"

    async def _record(
        self,
        taken: TakenPiece,
        deliveries: Sequence[Delivery],
        usage: Mapping[str, int],
        status: str = "",
        error: bytes = b"",
        groups: bytes = b"",
    ) -> bool:
        job, inputs, results = job_keys(taken.tenant, taken.job)
        keys = [job, inputs, results, queue_key(taken.tenant, taken.run), self._lane_of(taken)]
        arguments: list[Any] = [taken.piece, taken.entry, taken.job, f"{taken.tenant}/{taken.job}", status, error]
        arguments += [groups, len(deliveries)]
        arguments += [part for delivery in deliveries for part in (delivery.rows, delivery.results)]
        arguments += [part for name, number in usage.items() for part in (name, number)]
        keys += [LIVE, LIVE_SAMPLES, LANES, CALLBACKS, PARKED, ahead_key(taken.tenant, taken.job)]
        return bool(await self.run_script("record_piece", keys, arguments))


def _to_dict(fields: Any) -> dict[bytes, bytes]:
    return fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))


def _to_ms(seconds: float) -> int:
    return max(1, round(seconds * 1e3))
