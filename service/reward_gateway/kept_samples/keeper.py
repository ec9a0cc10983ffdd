"""Keeps samples after their answer: a reservoir and the extremes, to look at, mark, and export as preference pairs.

A request pays for one entry of a queue. A background task ranks what waits, in a thread, and stores only what would win
a place, so that after a while nearly all samples cost a few numpy operations. What waits, and what one flush stores, is
bounded; beyond that samples are dropped and counted. What the store does not take while it is away is dropped as well:
these are samples, not an account.
"""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import structlog

from reward_gateway.errors import InvalidRequest, NotFound, StateUnavailable
from reward_gateway.sample import Batch, Media, Scored, Text
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.tasks import end_task

from .kinds import KINDS, MARKS, Kind
from .pairs import PAIRS_AT_ONCE, Found, choose_pairs, encode_pair
from .ranking import Ranking, name_set
from .record import Index, decode_index, encode_index, encode_sample, make_index
from .store import Bounds, LocalSampleStore, NewSample, Place, SampleStore

log = structlog.get_logger(__name__)

Sort = Literal["newest", "highest", "lowest", "spread", "disagreement"]

FLUSH_S = 0.5
"""Seconds from a batch to the store, by which its answer has long been sent."""

MAX_WAITING_ROWS, MAX_WAITING_BYTES = 1 << 15, 64 << 20
"""Samples that wait to be ranked, and the bytes of their texts and images."""

MAX_FLUSH_BYTES = 16 << 20
"""Bytes that one flush stores."""

EXTREMES = 50
"""Of an extreme of a recipe one in so many samples is kept."""

DEFAULT_LIMIT, LARGEST_LIMIT = 50, 500
"""Samples on a page."""

UNKNOWN = "there is no sample of that id, or it is no longer kept"
UNAVAILABLE = "the store of kept samples (REWARD_GATEWAY_STATE_REDIS_URL) is not there; try again"


class Filters(NamedTuple):
    """Which samples are meant; None: any. A sample has all of ``flags``; ``unmarked``: nobody has marked it."""

    caller: str | None = None
    run: str | None = None
    recipe: str | None = None
    kind: Kind | None = None
    flags: tuple[str, ...] = ()
    mark: str | None = None

    def admit(self, found: Found) -> bool:
        """Whether a sample is meant."""
        index = found.index
        return (
            self.caller in (None, index.caller)
            and self.run in (None, index.run)
            and self.recipe in (None, index.recipe)
            and (self.kind is None or self.kind in found.kinds)
            and set(self.flags) <= set(index.flags)
            and self.mark in (None, found.mark or "unmarked")
        )


class SamplePage(NamedTuple):
    """Samples as the API answers them, where the next page begins, and how many there are in all."""

    samples: list[dict[str, Any]]
    cursor: str | None
    total: int


class _Batch(NamedTuple):
    batch: Batch
    scored: Scored
    scope: RequestScope
    t: float
    size: int


@dataclass(slots=True)
class SampleKeeper:
    """Implements :class:`.sample_recorder.SampleRecorder`.

    Args:
        store: of this process, or of all.
        bounds: of the store.
        clock: returns seconds since 1970.
        lost: called with the number of samples that were dropped unseen.
        failed: called when the store could not be reached.
    """

    store: SampleStore
    bounds: Bounds
    clock: Callable[[], float] = time.time
    lost: Callable[[int], None] = lambda rows: None
    failed: Callable[[], None] = lambda: None
    ranking: Ranking = field(default_factory=Ranking)
    _waiting: deque[_Batch] = field(default_factory=deque, init=False)
    _rows: int = field(default=0, init=False)
    _size: int = field(default=0, init=False)
    _flushing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    @classmethod
    def in_process(cls, bounds: Bounds) -> "SampleKeeper":
        """A keeper whose samples other processes do not see."""
        return cls(LocalSampleStore(bounds), bounds)

    def offer(self, batch: Batch, scored: Scored, scope: RequestScope) -> None:
        """Queue a batch; nothing is copied."""
        rows, size = batch.size, weigh_batch(batch)
        if not rows or len(scored.reward) != rows:
            return
        if self._rows + rows > MAX_WAITING_ROWS or self._size + size > MAX_WAITING_BYTES:
            self.lost(rows)
            return
        self._waiting.append(_Batch(batch, scored, scope, self.clock(), size))
        self._rows += rows
        self._size += size

    def start(self) -> None:
        """Start storing in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._flush_often(), name="samples-flush")

    async def close(self) -> None:
        """Store what waits, within a few seconds, and stop."""
        await end_task(self._task)
        with contextlib.suppress(*self.store.away, TimeoutError):
            async with asyncio.timeout(5.0):
                await self.flush()
        await self.store.close()

    async def flush(self) -> None:
        """Rank what waits, and store what wins a place. Raises :attr:`.SampleStore.away`."""
        async with self._flushing:
            batches, self._waiting, self._rows, self._size = list(self._waiting), deque(), 0, 0
            if not batches:
                return
            recipes = dict.fromkeys(batch.scored.recipe for batch in batches)
            sets = dict.fromkeys((name_set(kind, recipe), kind) for recipe in recipes for kind in KINDS)
            wanted = [(name, self._capacity_of(kind)) for name, kind in sets]
            now = self.clock()
            try:
                thresholds = await self.store.read_thresholds(wanted, now)
                chosen = await asyncio.to_thread(
                    self._choose, batches, dict(zip((name for name, _ in wanted), thresholds, strict=True))
                )
                if chosen:
                    await self.store.add(chosen, now)
            except self.store.away:
                self.failed()
                self.lost(sum(batch.batch.size for batch in batches))
                raise

    async def list_page(self, filters: Filters, sort: Sort, cursor: str | None, limit: int) -> SamplePage:
        """A page of samples.

        Raises:
            InvalidRequest: no page ever ended with this cursor.
            StateUnavailable: the store is away.
        """
        before = None if cursor is None else _parse_cursor(cursor)
        found = await self._find(filters)
        ordered = sorted(((_key_of(each, sort), each) for each in found), key=lambda entry: entry[0], reverse=True)
        page = [entry for entry in ordered if before is None or entry[0] < before][: limit + 1]
        bodies = await self._read_bodies([each.id for _, each in page[:limit]])
        samples = [
            describe_sample(each, body) for (_, each), body in zip(page, bodies, strict=False) if body is not None
        ]
        return SamplePage(samples, _make_cursor(page[limit - 1][0]) if len(page) > limit else None, len(found))

    async def read(self, id: str) -> dict[str, Any]:
        """A sample as the API answers it. Raises NotFound."""
        for found in await self._find(Filters()):
            if found.id == id:
                (body,) = await self._read_bodies([id])
                if body is not None:
                    return describe_sample(found, body)
        raise NotFound(UNKNOWN)

    async def mark(self, id: str, mark: str | None) -> None:
        """Mark a sample, or take its mark away. It then stays until its time is over. Raises NotFound."""
        if mark is not None and mark not in MARKS:
            raise InvalidRequest("a mark is good, bad, hack or null", param="mark")
        try:
            known = await self.store.mark(id, mark or "", self.clock())
        except self.store.away as error:
            raise StateUnavailable(UNAVAILABLE) from error
        if not known:
            raise NotFound(UNKNOWN)

    async def delete(self, filters: Filters, id: str | None = None) -> int:
        """Remove samples; how many there were. Raises StateUnavailable."""
        found = [each.id for each in await self._find(filters) if id in (None, each.id)]
        try:
            return await self.store.delete(found)
        except self.store.away as error:
            raise StateUnavailable(UNAVAILABLE) from error

    async def find_pairs(self, filters: Filters, min_margin: float) -> AsyncIterator[bytes]:
        """Preference pairs as lines of JSON. Raises StateUnavailable at once, or in the course of it."""
        pairs = choose_pairs(await self._find(filters), min_margin)

        async def read_pairs() -> AsyncIterator[bytes]:
            for start in range(0, len(pairs), PAIRS_AT_ONCE):
                some = pairs[start : start + PAIRS_AT_ONCE]
                ids = list(dict.fromkeys(each.id for pair in some for each in pair))
                bodies = dict(zip(ids, await self._read_bodies(ids), strict=True))
                lines = (encode_pair(*pair, *(bodies[each.id] for each in pair)) for pair in some)
                if text := b"".join(line for line in lines if line is not None):
                    yield text

        return read_pairs()

    async def _find(self, filters: Filters) -> list[Found]:
        """What is kept now, also of what was just scored here."""
        try:
            await self.flush()
            rows = await self.store.read_index(self.clock())
        except self.store.away as error:
            raise StateUnavailable(UNAVAILABLE) from error
        oldest = self.clock() - self.bounds.ttl_s

        def decode() -> list[Found]:
            found = (Found(row.id, decode_index(row.index), kinds_of(row.sets), row.mark) for row in rows)
            return [each for each in found if each.index.t > oldest and filters.admit(each)]

        return await asyncio.to_thread(decode)

    async def _read_bodies(self, ids: Sequence[str]) -> list[bytes | None]:
        try:
            return await self.store.read_bodies(ids)
        except self.store.away as error:
            raise StateUnavailable(UNAVAILABLE) from error

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
            except self.store.away:  # counted by flush
                pass
            except Exception as error:
                log.error("samples not kept", once_per="samples", error=type(error).__name__)

    def _capacity_of(self, kind: Kind) -> int:
        return self.bounds.count if kind == "reservoir" else max(1, self.bounds.count // EXTREMES)

    def _choose(self, batches: Sequence[_Batch], thresholds: dict[str, float]) -> list[NewSample]:
        chosen: list[NewSample] = []
        size = 0
        for batch in batches:
            try:
                samples = self._choose_of_batch(batch, thresholds)
            except Exception as error:  # what cannot be ranked holds up nothing else; no text of it is told
                self.lost(batch.batch.size)
                log.error("samples not kept", once_per=batch.scored.recipe, error=type(error).__name__)
                continue
            for sample in samples:
                own = len(sample.index) + len(sample.body)
                if size + own > min(MAX_FLUSH_BYTES, self.bounds.bytes):
                    self.lost(1)
                    continue
                size += own
                chosen.append(sample)
        return chosen

    def _choose_of_batch(self, given: _Batch, thresholds: dict[str, float]) -> list[NewSample]:
        """The samples of a batch that win a place, with their places."""
        batch, scored = given.batch, given.scored
        ranks = self.ranking.rank(scored)
        places: dict[int, list[Place]] = {}
        for kind, values in ranks.by_kind.items():
            name, capacity = name_set(kind, scored.recipe), self._capacity_of(kind)
            rows = np.flatnonzero(np.isfinite(values) & (values > thresholds[name]))
            if len(rows) > capacity:
                rows = rows[np.argsort(-values[rows], kind="stable")[:capacity]]
            for row in rows.tolist():
                places.setdefault(row, []).append(Place(name, float(values[row]), capacity))
        chosen = []
        for row in sorted(places):
            index = make_index(
                batch, scored, row, given.scope, given.t, float(ranks.spread[row]), float(ranks.disagreement[row])
            )
            body = encode_sample(batch, scored, row, given.scope, index)
            chosen.append(NewSample(os.urandom(8).hex(), given.t, encode_index(index), body, places[row]))
        return chosen


def weigh_batch(batch: Batch) -> int:
    """About how many bytes a batch keeps in memory."""
    size = sum(map(_weigh_text, batch.prompts)) + sum(map(_weigh_text, batch.responses))
    if batch.has_media:
        columns: list[list[list[Media]] | None] = [batch.images, batch.frames]
        size += sum(len(found.data or b"") for column in columns for media in column or () for found in media)
    return size


def describe_sample(found: Found, body: bytes) -> dict[str, Any]:
    """A sample as the API answers it."""
    kept: dict[str, Any] = msgspec.json.decode(body)
    return {"id": found.id, **kept, "kinds": list(found.kinds), "mark": found.mark or None}


def kinds_of(sets: Sequence[str]) -> tuple[Kind, ...]:
    """The kinds whose sets hold a sample."""
    held = {name.partition(":")[0] for name in sets}
    return tuple(kind for kind in KINDS if kind in held)


def _weigh_text(text: Text | None) -> int:
    if text is None or isinstance(text, str):
        return len(text or "")
    return sum(len(str(message.get("content") or "")) for message in text)


def _key_of(found: Found, sort: Sort) -> tuple[float, str]:
    """By what samples are sorted, the greatest first; what has no number comes last."""
    index: Index = found.index
    values = {
        "newest": index.t,
        "highest": index.reward,
        "lowest": None if index.reward is None else -index.reward,
        "spread": index.spread,
        "disagreement": index.disagreement,
    }
    value = values[sort]
    return (float("-inf") if value is None else value), found.id


def _make_cursor(key: tuple[float, str]) -> str:
    return f"{key[0]!r}/{key[1]}"


def _parse_cursor(cursor: str) -> tuple[float, str]:
    value, slash, id = cursor.partition("/")
    try:
        number = float(value) if slash and len(cursor) <= 64 else float("nan")
    except ValueError:
        number = float("nan")
    if number != number:
        raise InvalidRequest("there is no such page; begin again without cursor", param="cursor")
    return number, id
