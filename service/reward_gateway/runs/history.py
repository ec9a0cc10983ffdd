"""Keeps the history of training runs: what was scored for each, in rows of a minute, an hour and a step.

Nothing here is on the path of a request beyond handing over columns that exist. Every few seconds a background task
summarises what waits, in a thread, and merges it into the stored rows. While the store is away, batches wait in bounded
memory; beyond the bound the oldest are dropped and counted. No text is kept.
"""

import asyncio
import contextlib
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy as np
import structlog

from reward_gateway.errors import InvalidRequest, NotFound, StateUnavailable
from reward_gateway.sample import FloatArray, IntArray, Scored
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import RunLimits
from reward_gateway.tasks import end_task
from reward_gateway.telemetry.observations import Observation, columns_of

from .alerts import Alert, find_changes, find_limits
from .heads import Head, decode_head, encode_head, extend_head
from .loaded import SECONDS, SLOTS, Bucket, LoadedRun
from .rows import Row, decode_row, encode_row, merge_rows, summarise_rows
from .store import LocalRunStore, Place, RunChange, RunName, RunStore, StoredRun, Table, name_key

log = structlog.get_logger(__name__)

FLUSH_S = 5.0
PAUSE_S = 0.25
"""Least seconds between two flushes."""

MANY_BATCHES = 1000
"""Batches that are summarised without waiting for the next flush."""

MAX_WAITING_BATCHES, MAX_WAITING_ROWS = 16_384, 1 << 17

RUNS_AT_ONCE = 64
"""Runs that are read and written in one step."""

TRIES = 4
"""How often a run is tried in one flush that other processes write as well."""

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 1000
"""Runs on a page."""

UNAVAILABLE = "the store of the runs' history (REWARD_GATEWAY_STATE_REDIS_URL) is not there; try again"


class _Batch(NamedTuple):
    """A scored batch: its columns, whose rewards are those before the comparison within groups."""

    name: RunName
    step: int | None
    observation: Observation
    advantage: FloatArray | None
    groups: IntArray


@dataclass(slots=True)
class _Delta:
    """What a flush adds to a run; ``revision`` is that of the run once it is added."""

    revision: bytes
    head: Head
    rows: dict[tuple[Table, int], Row]
    alerts: list[Alert] = field(default_factory=list)


@dataclass(slots=True)
class RunHistory:
    """Implements :class:`.run_recorder.RunRecorder`.

    Args:
        store: of this process, or of all.
        clock: returns seconds since 1970.
        lost: called with the number of dropped samples.
        failed: called when the store could not be reached.
        limits: by recipe, the limits of which somebody wants to know (:mod:`.alerts`).
        alert: called when a run leaves a limit or is back within it.
        export: called with the name, recipe, width and row of what was added to a run.
    """

    store: RunStore
    clock: Callable[[], float] = time.time
    lost: Callable[[int], None] = lambda rows: None
    failed: Callable[[], None] = lambda: None
    limits: Mapping[str, RunLimits] = field(default_factory=dict)
    alert: Callable[[Alert], None] = lambda alert: None
    export: Callable[[RunName, str, str, Row], None] | None = None
    _waiting: deque[_Batch] = field(default_factory=deque, init=False)
    _waiting_rows: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _pending: dict[RunName, _Delta] = field(default_factory=dict, init=False)
    _flushing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _many: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    @classmethod
    def in_process(cls, max_bytes: int) -> "RunHistory":
        """A history that other processes do not see."""
        return cls(LocalRunStore(max_bytes))

    def record(self, scored: Scored, scope: RequestScope) -> None:
        """Queue a batch; nothing is copied."""
        if scored.group_keys is None or not len(scored.reward):
            return
        compared = scored.reward_raw is not None
        observation = Observation.of(None, scored, scored.lengths)
        if scored.reward_raw is not None:
            observation = observation._replace(reward=scored.reward_raw)
        name = RunName(scope.caller, scope.run)
        batch = _Batch(name, scope.step, observation, scored.reward if compared else None, scored.group_keys)
        with self._lock:
            self._waiting.append(batch)
            self._waiting_rows += len(batch.groups)
            while self._waiting_rows > MAX_WAITING_ROWS or len(self._waiting) > MAX_WAITING_BATCHES:
                if len(self._waiting) == 1:
                    break
                oldest = len(self._waiting.popleft().groups)
                self._waiting_rows -= oldest
                self.lost(oldest)
            if len(self._waiting) == MANY_BATCHES:
                self._many.set()

    def start(self) -> None:
        """Start flushing in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._flush_often(), name="runs-flush")

    async def close(self) -> None:
        """Write what waits, within a few seconds, and stop."""
        await end_task(self._task)
        with contextlib.suppress(*self.store.away):
            async with asyncio.timeout(FLUSH_S):
                await self.flush()
        await self.store.close()

    async def flush(self) -> None:
        """Write what waits. Raises :attr:`.RunStore.away`; then it is written the next time."""
        async with self._flushing:
            try:
                await self._write_pending()
                if self._pending:  # others write the same runs all the time: what waits is added the next time
                    return
                with self._lock:
                    batches, self._waiting, self._waiting_rows = list(self._waiting), deque(), 0
                if batches:
                    self._pending = await asyncio.to_thread(self._summarise, batches, self.clock())
                    await self._write_pending()
            except self.store.away:
                self.failed()
                raise

    async def list_page(self, caller: str | None, cursor: str | None, limit: int) -> tuple[list[Head], str | None]:
        """The runs of a caller (None: of all), the one seen last first, and where the next page begins.

        Raises:
            InvalidRequest: no page ever ended with this cursor.
            StateUnavailable: the store is away.
        """
        before = None if cursor is None else _parse_cursor(cursor)
        try:
            await self.flush()
            runs = await self.store.list_runs(caller, before, limit + 1)
        except self.store.away as error:
            raise StateUnavailable(UNAVAILABLE) from error
        heads = [decode_head(run.head) for run in runs[:limit]]
        return heads, _make_cursor(heads[-1]) if len(runs) > limit else None

    async def read(self, name: RunName, bucket: Bucket, after: int | None = None) -> dict[str, Any]:
        """A run with its rows by recipe, as ``GET /v1/runs/{run}`` answers it.

        Args:
            after: leave out rows whose ``t`` or ``step`` is not above it.

        Raises:
            NotFound: there is no such run.
            StateUnavailable: the store is away.
        """
        run = await self.load(name, bucket)
        return await asyncio.to_thread(run.describe, shared=self.store.shared, after=after)

    async def load(
        self, name: RunName, bucket: Bucket, newest: int | None = None, within: range | None = None
    ) -> LoadedRun:
        """A run with its rows, or some of them. Raises as :meth:`read`.

        Args:
            newest: minutes, hours or steps up to now; fewer rows where some have none.
            within: those of these minutes or hours since 1970, or steps.
        """
        try:
            await self.flush()
            (known,) = await self.store.read_places([(name, ())])
            run = known
            if known.revision:
                head = decode_head(known.head)
                tables = [Table(recipe, bucket) for recipe in head.rewards]
                wanted = within if newest is None else self._list_newest(head, bucket, newest)
                if wanted is None or len(wanted) >= SLOTS[bucket]:
                    run = await self.store.read_tables(name, tables)
                else:
                    slots = [_slot_of((table, at)) for table in tables for at in wanted]
                    (run,) = await self.store.read_places([(name, slots)])
        except self.store.away as error:
            raise StateUnavailable(UNAVAILABLE) from error
        if not run.revision:
            raise NotFound("this caller has no run of that name, or its history is no longer kept")
        loaded = await asyncio.to_thread(LoadedRun.of, run, bucket, self.clock())
        return loaded if within is None else loaded.keep_within(within)

    async def read_recipe(
        self, caller: str | None, recipe: str, bucket: Bucket, wanted: range, most: int, known: Mapping[RunName, bytes]
    ) -> tuple[list[StoredRun], list[StoredRun]]:
        """The runs with a recipe, among those of a caller (None: of all) that were seen last.

        Args:
            wanted: minutes or hours since 1970 whose rows of the recipe are read.
            most: runs that are looked at.
            known: revisions of runs whose rows nobody needs again.

        Returns:
            The runs, the one seen last first; and with rows, those whose revision is another than the known one.

        Raises:
            StateUnavailable: the store is away.
        """
        try:
            await self.flush()
            heads = [(run, decode_head(run.head)) for run in await self.store.list_runs(caller, None, most)]
            having = [(run, RunName(head.caller, head.run)) for run, head in heads if recipe in head.rewards]
            kept = self.list_newest(bucket, SLOTS[bucket])
            slots = [_slot_of((Table(recipe, bucket), at)) for at in kept if at in wanted]
            changed = [(name, slots) for run, name in having if known.get(name) != run.revision]
            rows = await self.store.read_places(changed) if changed else []
        except self.store.away as error:
            raise StateUnavailable(UNAVAILABLE) from error
        return [run for run, _ in having], [run for run in rows if run.revision]

    def list_newest(self, bucket: Bucket, newest: int) -> range:
        """So many minutes or hours since 1970, up to now."""
        now = int(self.clock()) // SECONDS[bucket]
        return range(now - newest + 1, now + 1)

    def _list_newest(self, head: Head, bucket: Bucket, newest: int) -> range:
        if bucket in SECONDS:
            return self.list_newest(bucket, newest)
        return range(0) if head.last_step is None else range(head.last_step - newest + 1, head.last_step + 1)

    async def forget(self, name: RunName) -> None:
        """Remove a run's history. Raises NotFound or StateUnavailable."""
        try:
            await self.flush()
            known = await self.store.forget(name)
        except self.store.away as error:
            raise StateUnavailable(UNAVAILABLE) from error
        if not known:
            raise NotFound("this caller has no run of that name, or its history is no longer kept")

    async def _flush_often(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._many.wait()
            self._many.clear()
            try:
                await self.flush()
            except self.store.away:  # counted by flush; what waits is written the next time
                pass
            except Exception as error:
                log.error("runs not written", once_per="runs", exc_info=error)
            await asyncio.sleep(PAUSE_S)

    def _summarise(self, batches: Sequence[_Batch], now: float) -> dict[RunName, _Delta]:
        """What batches add to their runs."""
        deltas: dict[RunName, _Delta] = {}
        together: dict[tuple[RunName, str, str, int | None, tuple[str, ...], bool], list[_Batch]] = {}
        for batch in batches:
            seen = batch.observation
            key = batch.name, seen.recipe, seen.version, batch.step, seen.names, batch.advantage is not None
            together.setdefault(key, []).append(batch)
        for (name, recipe, version, step, _, _), same in together.items():
            try:
                row = _summarise_batches(same)
            except Exception as error:  # go on without what cannot be summarised, so that it holds up nothing else
                self.lost(sum(len(batch.groups) for batch in same))
                log.error("samples not in their run's history", recipe=recipe, once_per=recipe, exc_info=error)
                continue
            delta = deltas.get(name)
            if delta is None:
                delta = deltas[name] = _Delta(os.urandom(8), Head(name.caller, name.run, now, now), {})
            delta.head = extend_head(delta.head, Head.of(name, now, row.n, row.invalid, recipe, version, step))
            buckets = {"minute": int(now) // 60, "hour": int(now) // 3600} | ({} if step is None else {"step": step})
            for bucket, at in buckets.items():
                place = Table(recipe, bucket), at
                found = delta.rows.get(place)
                row_at = msgspec.structs.replace(row, at=at)
                delta.rows[place] = row_at if found is None else merge_rows([found, row_at])
        return deltas

    async def _write_pending(self) -> None:
        for _ in range(TRIES):
            names = list(self._pending)
            for start in range(0, len(names), RUNS_AT_ONCE):
                await self._write_runs(names[start : start + RUNS_AT_ONCE])
            if not self._pending:
                return
            await asyncio.sleep(random.uniform(0.0, PAUSE_S / TRIES))  # not at the same time as the others again

    async def _write_runs(self, names: Sequence[RunName]) -> None:
        wanted = [(name, [_slot_of(place) for place in self._pending[name].rows]) for name in names]
        stored = await self.store.read_places(wanted)
        changes, settled = await asyncio.to_thread(self._merge_runs, names, stored)
        for name in settled:
            self._settle(name)
        written = await self.store.write(changes) if changes else []
        for change, is_written in zip(changes, written, strict=True):
            if is_written:
                self._settle(change.name)

    def _settle(self, name: RunName) -> None:
        """Forget what was written, and tell of it."""
        for alert in self._pending.pop(name).alerts:
            self.alert(alert)

    def _merge_runs(
        self, names: Sequence[RunName], stored: Sequence[StoredRun]
    ) -> tuple[list[RunChange], list[RunName]]:
        """The changes that add what is pending to what is stored, and the runs to which it was added before."""
        changes, settled = [], []
        for name, run in zip(names, stored, strict=True):
            delta = self._pending[name]
            if run.revision == delta.revision:  # it was written, although no answer said so
                settled.append(name)
                continue
            known = decode_head(run.head) if run.revision else None
            head = msgspec.structs.replace(delta.head, alerts={}) if known is None else extend_head(known, delta.head)
            rows, delta.alerts = {}, []
            newest = {table.recipe: (table.bucket, at) for (table, at) in delta.rows if table.bucket != "hour"}
            for place, row in delta.rows.items():
                (recipe, bucket), slot = place[0], _slot_of(place)
                held = decode_row(run.rows[slot]) if slot in run.rows else None
                merged = row if held is None or held.at != row.at else merge_rows([held, row])
                rows[slot] = encode_row(merged)
                if newest[recipe] == (bucket, row.at):  # the step that was named last, or the minute without steps
                    if (limits := find_limits(self.limits, recipe)) is not None:
                        delta.alerts += find_changes(name, recipe, bucket, merged, limits, head.alerts)
                    if self.export is not None:
                        self.export(name, recipe, bucket, merged)
            change = RunChange(name, run.revision, delta.revision, encode_head(head), rows, head.last_seen)
            changes.append(change)
        return changes, settled


def _summarise_batches(batches: Sequence[_Batch]) -> Row:
    observations = [batch.observation for batch in batches]
    columns = columns_of(observations)
    advantages = [batch.advantage for batch in batches if batch.advantage is not None]
    invalid = sum(len(observation.invalid) for observation in observations)
    flagged = sum(sum(map(bool, observation.flags.values())) for observation in observations)
    groups = np.concatenate([batch.groups for batch in batches])
    return summarise_rows(0, columns, np.concatenate(advantages) if advantages else None, groups, invalid, flagged)


def _slot_of(place: Place) -> Place:
    """Where the row of a bucket is kept."""
    table, at = place
    return table, at % SLOTS[table.bucket]


def _make_cursor(head: Head) -> str:
    return f"{head.last_seen!r}/{name_key(RunName(head.caller, head.run))}"


def _parse_cursor(cursor: str) -> tuple[float, str]:
    seen, slash, name = cursor.partition("/")
    try:
        time_seen = float(seen) if len(seen) <= 32 and seen[:1].isdecimal() else -1.0
    except ValueError:
        time_seen = -1.0
    if not slash or not 0 <= time_seen < float("inf"):
        raise InvalidRequest("there is no such page; begin again without cursor", param="cursor")
    return time_seen, name
