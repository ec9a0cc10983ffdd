"""The monitor's windows over all workers and pods: one-minute parts in Redis, merged for a report.

Nothing here is on the path of a request. The process's own monitor passes on columns of rows; every few seconds a
background task turns them into mergeable summaries, in a thread, and writes this process's summary of the current
minute, replacing the previous one, so that a repeated write counts once. While Redis is unavailable, rows wait in
bounded memory; beyond the bound the oldest are dropped and counted. Summaries contain no text.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect
from reward_gateway.tasks import end_task, repeat

from .window import REWARD, Columns
from .window_parts import WindowPart, concatenate_columns, merge_parts, part_of, report_of_parts, take_rows

log = structlog.get_logger(__name__)

TAG = "monitor"

PREFIX = f"reward_gateway:{{{TAG}}}"
MINUTE_S = 60
MINUTES = 60
"""Maximum length of a window in minutes."""

FLUSH_S = 5.0
MAX_WAITING_ROWS = 1 << 17
TIMEOUT_S = 2.0
REFERENCE_TTL_S = 30 * 86_400

AWAY = (RedisError, OSError)
"""Exceptions raised when Redis is unavailable."""

_READ_BACK = (2, 8, 50)
"""Minutes read per step, newest first, until a window has enough rows."""


class Stored(msgspec.Struct, array_like=True):
    """Summary of one process, one recipe version and one minute.

    Attributes:
        epoch: epoch of the references; a reset starts a new one.
        all_rows: all rows.
        current: the rows that came after the reference was full.
    """

    epoch: int
    all_rows: WindowPart
    current: WindowPart


_stored = msgspec.msgpack.Decoder(Stored)
_part = msgspec.msgpack.Decoder(WindowPart)


@dataclass(frozen=True, slots=True)
class RecipeVersion:
    """A recipe's name, its version, and the components of its ensemble."""

    recipe: str
    version: str
    ensemble: tuple[str, ...]

    @property
    def digest(self) -> str:
        return hashlib.blake2b(json.dumps([self.recipe, self.version]).encode(), digest_size=12).hexdigest()


@dataclass(slots=True)
class _Minute:
    """This process's summary of a minute, whether Redis has it, and how many rows are not yet counted in Redis."""

    epoch: int
    all_rows: WindowPart
    current: WindowPart
    written: bool = False
    uncounted: int = 0

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(Stored(self.epoch, self.all_rows, self.current))


@dataclass(slots=True)
class _Reference:
    part: WindowPart
    written: bool = False
    uncounted: int = 0
    """Always 0: its rows are those of a minute."""

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self.part)


Place = tuple[RecipeVersion, int]
"""A version with a minute, or with the epoch of its reference."""

Rows = tuple[RecipeVersion, Columns]


@dataclass(slots=True)
class SharedMonitor:
    """The windows shared by all processes.

    Args:
        address: of the state store.
        size: rows of a reference, and minimum rows of a window, if so many came within its minutes.
        clock: returns seconds since 1970.
        lost: called with the number of dropped rows.
        failed: called when a flush or a report fails.
    """

    address: RedisAddress | str
    size: int
    clock: Callable[[], float] = time.time
    lost: Callable[[int], None] = lambda rows: None
    failed: Callable[[], None] = lambda: None
    _waiting: deque[Rows] = field(default_factory=deque, init=False)
    _waiting_rows: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)  # rows also come from a scrape's thread
    _minutes: dict[Place, _Minute] = field(default_factory=dict, init=False)
    _references: dict[Place, _Reference] = field(default_factory=dict, init=False)
    _client: Redis = field(init=False)
    _worker: str = field(default_factory=lambda: os.urandom(8).hex(), init=False)
    _random: np.random.Generator = field(default_factory=np.random.default_rng, init=False)
    _flushing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._client = connect(
            self.address,
            TAG,
            socket_connect_timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )

    def keep_rows(self, recipe: str, version: str, ensemble: tuple[str, ...], columns: Columns) -> None:
        """Queue columns of rows, to be summarised and written later; nothing is copied."""
        with self._lock:
            self._waiting.append((RecipeVersion(recipe, version, ensemble), columns))
            self._waiting_rows += len(columns[REWARD])
            while self._waiting_rows > MAX_WAITING_ROWS and len(self._waiting) > 1:
                oldest = len(self._waiting.popleft()[1][REWARD])
                self._waiting_rows -= oldest
                self.lost(oldest)

    def start(self, read: Callable[[], None]) -> None:
        """Start flushing in the background; ``read`` makes the process's own monitor pass on its rows."""

        async def flush() -> None:
            with contextlib.suppress(*AWAY):  # counted by flush; waiting rows are written the next time
                read()
                await self.flush()

        if self._task is None:
            self._task = asyncio.create_task(repeat(flush, FLUSH_S, "monitor-flush"), name="monitor-flush")

    async def close(self) -> None:
        """Write the waiting rows, within a few seconds, and stop."""
        await end_task(self._task)
        with contextlib.suppress(*AWAY):
            async with asyncio.timeout(2 * TIMEOUT_S):
                await self.flush()
        await self._client.aclose()

    async def flush(self) -> None:
        """Write the waiting rows. Raises RedisError, OSError or TimeoutError; then they are written the next time."""
        async with self._flushing:
            try:
                await self._write_waiting()
            except AWAY:
                self.failed()
                raise

    async def _write_waiting(self) -> None:
        minute = int(self.clock()) // MINUTE_S
        with self._lock:
            rows, self._waiting, self._waiting_rows = list(self._waiting), deque(), 0
        if rows:
            try:
                epoch, room = await self._count_reference_rows(rows)
            except BaseException:
                with self._lock:
                    self._waiting.extendleft(reversed(rows))
                    self._waiting_rows += sum(len(columns[REWARD]) for _, columns in rows)
                raise
            await asyncio.to_thread(self._summarise_rows, rows, room, minute, epoch)
        await self._write_parts(minute)

    async def _count_reference_rows(self, rows: Sequence[Rows]) -> tuple[int, dict[RecipeVersion, int]]:
        """Count rows in Redis; returns the epoch, and how many rows per version still fit the shared reference."""
        counts: dict[RecipeVersion, int] = {}
        for version, columns in rows:
            counts[version] = counts.get(version, 0) + len(columns[REWARD])
        epoch = await self._read_epoch()
        pipeline = self._client.pipeline(transaction=False)
        for version, count in counts.items():
            pipeline.hincrby(self._reference_key(version, epoch), "rows", count)
        for version in counts:
            pipeline.expire(self._reference_key(version, epoch), REFERENCE_TTL_S)
        totals = (await pipeline.execute())[: len(counts)]
        room = {
            version: max(0, self.size - int(total) + counts[version])
            for version, total in zip(counts, totals, strict=True)
        }
        return epoch, room

    def _summarise_rows(self, rows: Sequence[Rows], room: dict[RecipeVersion, int], minute: int, epoch: int) -> None:
        """Add rows to this process's parts."""
        together: dict[RecipeVersion, list[Columns]] = {}
        for version, piece in rows:
            together.setdefault(version, []).append(piece)
        for version, pieces in together.items():
            try:
                self._summarise_version(version, pieces, room[version], minute, epoch)
            except Exception as error:
                self._drop_rows(version, sum(len(columns[REWARD]) for columns in pieces), error)

    def _summarise_version(
        self, version: RecipeVersion, pieces: Sequence[Columns], room: int, minute: int, epoch: int
    ) -> None:
        columns = concatenate_columns(pieces)
        count = len(columns[REWARD])
        before = min(count, room)
        reference = part_of(take_rows(columns, 0, before), version.ensemble, self._random) if before else None
        after = part_of(take_rows(columns, before, count), version.ensemble, self._random)
        seen = self._minutes.get((version, minute)) or _Minute(epoch, WindowPart(), WindowPart())
        if seen.epoch != epoch:
            seen.epoch, seen.current = epoch, WindowPart()
        seen.all_rows = merge_parts([seen.all_rows, after, *([reference] if reference else [])])
        seen.current = merge_parts([seen.current, after])
        seen.written, seen.uncounted = False, seen.uncounted + count
        self._minutes[version, minute] = seen
        if reference is not None:
            held = self._references.setdefault((version, epoch), _Reference(WindowPart()))
            held.part, held.written = merge_parts([held.part, reference]), False

    def _drop_rows(self, version: RecipeVersion, rows: int, error: Exception) -> None:
        """Go on without rows that cannot be summarised or encoded, so that they hold up nothing else."""
        self.lost(rows)
        log.error("rows not monitored", recipe=version.recipe, rows=rows, once_per=version.recipe, exc_info=error)

    def _encode_unwritten(self, held: dict[Place, Any]) -> dict[Place, bytes]:
        """The parts that Redis lacks, encoded; one that cannot be encoded is dropped."""
        encoded = {}
        for place, part in list(held.items()):
            if not part.written:
                try:
                    encoded[place] = part.encode()
                except Exception as error:
                    del held[place]
                    self._drop_rows(place[0], part.uncounted, error)
        return encoded

    async def _write_parts(self, minute: int) -> None:
        minutes, references = self._encode_unwritten(self._minutes), self._encode_unwritten(self._references)
        if minutes or references:
            pipeline = self._client.pipeline(transaction=False)
            for (version, at), part in minutes.items():
                key = self._minute_key(version, at)
                pipeline.hincrby(key, "rows", self._minutes[version, at].uncounted)
                pipeline.hset(key, self._worker, part)
                pipeline.expire(key, (MINUTES + 5) * MINUTE_S)
                pipeline.zadd(f"{PREFIX}:versions", {_encode_name(version): self.clock()})
            for (version, epoch), part in references.items():
                pipeline.hset(self._reference_key(version, epoch), self._worker, part)
            pipeline.zremrangebyscore(f"{PREFIX}:versions", "-inf", self.clock() - (MINUTES + 1) * MINUTE_S)
            answers = await pipeline.execute()
            for place in minutes:
                self._minutes[place].written, self._minutes[place].uncounted = True, 0
            for place in references:
                self._references[place].written = True
            await self._forget_before(
                [at for at, rows in zip(minutes, answers[::4], strict=False) if rows >= 2 * self.size]
            )
        for place, seen in list(self._minutes.items()):
            if place[1] < minute and (seen.written or place[1] < minute - MINUTES):
                del self._minutes[place]
        newest = max((epoch for _, epoch in self._references), default=0)
        for place, held in list(self._references.items()):
            if held.written and place[1] < newest:
                del self._references[place]

    async def _forget_before(self, minutes: Sequence[tuple[RecipeVersion, int]]) -> None:
        """Remove the minutes before those that fill a window by themselves, which are never read again."""
        if minutes:
            pipeline = self._client.pipeline(transaction=False)
            for version, minute in minutes:
                pipeline.unlink(*(self._minute_key(version, minute - back) for back in range(1, MINUTES + 1)))
            await pipeline.execute()

    async def report(self) -> dict[str, dict[str, Any]]:
        """The report of every recipe over all processes, by name; see :func:`.report.report_of`.

        Raises:
            RedisError, OSError, TimeoutError: Redis is unavailable.
        """
        await self.flush()
        try:
            async with asyncio.timeout(5 * TIMEOUT_S):
                return await self._read_report()
        except AWAY:
            self.failed()
            raise

    async def _read_report(self) -> dict[str, dict[str, Any]]:
        now = self.clock()
        minute, epoch = int(now) // MINUTE_S, await self._read_epoch()
        names: list[Any] = await self._client.zrangebyscore(f"{PREFIX}:versions", now - MINUTES * MINUTE_S, "+inf")
        versions = {version.recipe: version for version in map(_decode_name, names)}  # the version seen last
        parts_of: dict[RecipeVersion, list[Stored]] = {version: [] for version in versions.values()}
        first = 0
        for span in _READ_BACK:
            too_few = [v for v, parts in parts_of.items() if sum(part.all_rows.rows for part in parts) < self.size]
            span = min(span, MINUTES - first)
            pipeline = self._client.pipeline(transaction=False)
            for version in too_few:
                for at in range(minute - first, minute - first - span, -1):
                    pipeline.hgetall(self._minute_key(version, at))
            answers = iter(await pipeline.execute() if too_few and span > 0 else [])
            for version in too_few:
                for _ in range(span):
                    values: dict[bytes, bytes] = next(answers, {})
                    if sum(part.all_rows.rows for part in parts_of[version]) < self.size:
                        parts_of[version] += [
                            _stored.decode(value) for name, value in values.items() if name != b"rows"
                        ]
            first += span
        pipeline = self._client.pipeline(transaction=False)
        for version in parts_of:
            pipeline.hgetall(self._reference_key(version, epoch))
        held = await pipeline.execute() if parts_of else []
        references = [[_part.decode(value) for name, value in answer.items() if name != b"rows"] for answer in held]
        return await asyncio.to_thread(self._build_reports, parts_of, references, epoch)

    def _build_reports(
        self, parts_of: dict[RecipeVersion, list[Stored]], references: Sequence[Sequence[WindowPart]], epoch: int
    ) -> dict[str, dict[str, Any]]:
        reports = {}
        for (version, parts), reference in zip(parts_of.items(), references, strict=True):
            if parts:
                current = [part.current for part in parts if part.epoch == epoch]
                reports[version.recipe] = {
                    "version": version.version,
                    "window": self.size,
                    **report_of_parts([part.all_rows for part in parts], reference, current),
                }
        return reports

    async def reset(self) -> None:
        """Start new references, in every process. Raises RedisError, OSError or TimeoutError."""
        with contextlib.suppress(*AWAY):
            await self.flush()
        await self._client.incr(f"{PREFIX}:epoch")

    async def _read_epoch(self) -> int:
        return int(await self._client.get(f"{PREFIX}:epoch") or 0)

    def _minute_key(self, version: RecipeVersion, minute: int) -> str:
        return f"{PREFIX}:window:{version.digest}:{minute}"

    def _reference_key(self, version: RecipeVersion, epoch: int) -> str:
        return f"{PREFIX}:reference:{epoch}:{version.digest}"


def _encode_name(version: RecipeVersion) -> str:
    return json.dumps([version.recipe, version.version, version.ensemble])


def _decode_name(name: Any) -> RecipeVersion:
    recipe, version, ensemble = json.loads(name)
    return RecipeVersion(recipe, version, tuple(ensemble))
