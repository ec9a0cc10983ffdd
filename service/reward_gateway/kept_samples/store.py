"""Where kept samples lie: in this process, or in Redis for all workers and pods (:mod:`.redis_store`).

A sample stays as long as it holds a place in a *set*: the reservoir, or an extreme of a recipe. A set keeps those with
the highest ranks, so that the sets of many processes are one: the reservoir's ranks are random numbers, those of an
extreme say how extreme the sample is.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol

from reward_gateway.settings import Settings

from .kinds import MARKED, RESERVOIR

SAMPLE_BYTES = 500
"""What a sample takes beside its own bytes."""

SPARED = 100
"""Of so many of the oldest samples, one that nobody has marked goes first."""

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept, and for how long."""

    count: int
    bytes: int
    ttl_s: float

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """As the operator set them."""
        return cls(settings.keep_samples, settings.keep_samples_bytes, settings.keep_samples_ttl_s)


class Place(NamedTuple):
    """A sample's rank in a set, which holds ``capacity`` samples at most."""

    set: str
    rank: float
    capacity: int


@dataclass(frozen=True, slots=True)
class NewSample:
    """What is to be kept.

    Attributes:
        t: seconds since 1970.
        index: what lists filter and sort by, encoded; ``body`` is the sample.
    """

    id: str
    t: float
    index: bytes
    body: bytes
    places: Sequence[Place]


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A kept sample without its texts."""

    id: str
    index: bytes
    sets: Sequence[str]
    mark: str


class SampleStore(Protocol):
    """Keeps samples within bounds. What a store raises that cannot be reached is up to it (:attr:`away`).

    Attributes:
        shared: whether other processes see the same.
        away: exceptions of a store that cannot be reached.
    """

    shared: bool
    away: tuple[type[Exception], ...]

    async def read_thresholds(self, sets: Sequence[tuple[str, int]], now: float) -> list[float]:
        """The rank that a sample has to exceed for a place, by set and capacity; -inf where there is room."""

    async def add(self, samples: Sequence[NewSample], now: float) -> None:
        """Keep samples, and make room: for the sets' capacities, the bounds, and what is too old."""

    async def read_index(self, now: float) -> list[IndexRow]:
        """All samples without their texts, in no order; some may be too old already."""

    async def read_bodies(self, ids: Sequence[str]) -> list[bytes | None]:
        """Samples, in the order of their ids; None for one that is no longer kept."""

    async def mark(self, id: str, mark: str, now: float) -> bool:
        """Mark a sample, or take its mark away (""); False if it is not kept. From then on it stays until its time."""

    async def delete(self, ids: Sequence[str]) -> int:
        """Remove samples; how many there were."""

    async def close(self) -> None:
        """Release what the store holds."""


@dataclass(slots=True)
class _Set:
    ranks: dict[str, float] = field(default_factory=dict)
    heap: list[tuple[float, str]] = field(default_factory=list)  # lowest first; may name samples that have left

    def put(self, id: str, rank: float) -> None:
        self.ranks[id] = rank
        heapq.heappush(self.heap, (rank, id))
        if len(self.heap) > 2 * len(self.ranks) + 64:
            self.heap = [(rank, id) for id, rank in self.ranks.items()]
            heapq.heapify(self.heap)

    def find_lowest(self) -> tuple[float, str]:
        while self.ranks.get(self.heap[0][1]) != self.heap[0][0]:
            heapq.heappop(self.heap)
        return self.heap[0]


@dataclass(slots=True)
class _Held:
    t: float
    index: bytes
    body: bytes
    sets: list[str]
    mark: str = ""

    @property
    def size(self) -> int:
        return len(self.index) + len(self.body) + SAMPLE_BYTES


@dataclass(slots=True)
class LocalSampleStore:
    """Implements :class:`SampleStore` in this process."""

    bounds: Bounds
    shared: bool = field(default=False, init=False)
    away: tuple[type[Exception], ...] = field(default=(), init=False)
    _held: dict[str, _Held] = field(default_factory=dict, init=False)  # the oldest first
    _sets: dict[str, _Set] = field(default_factory=dict, init=False)
    _size: int = field(default=0, init=False)

    async def read_thresholds(self, sets: Sequence[tuple[str, int]], now: float) -> list[float]:
        self._drop_old(now)
        full = len(self._held) >= self.bounds.count
        found = []
        for name, capacity in sets:
            ranked = self._sets.get(name)
            if ranked is None or not ranked.ranks:
                found.append(NEVER)
                continue
            is_full = len(ranked.ranks) >= capacity or (full and name == RESERVOIR)
            found.append(ranked.find_lowest()[0] if is_full else NEVER)
        return found

    async def add(self, samples: Sequence[NewSample], now: float) -> None:
        for sample in samples:
            held = self._held[sample.id] = _Held(sample.t, sample.index, sample.body, [])
            self._size += held.size
            for place in sample.places:
                self._enter(sample.id, place.set, place.rank)
            for place in sample.places:
                while len(self._sets[place.set].ranks) > place.capacity:
                    self._leave(self._sets[place.set].find_lowest()[1], place.set)
        self._drop_old(now)
        while len(self._held) > self.bounds.count or self._size > self.bounds.bytes:
            reservoir = self._sets.get(RESERVOIR)
            if reservoir is not None and len(reservoir.ranks) * 2 > len(self._held):
                self._leave(reservoir.find_lowest()[1], RESERVOIR)
            else:
                oldest = list(islice(self._held, SPARED))
                self._remove(next((id for id in oldest if not self._held[id].mark), oldest[0]))

    async def read_index(self, now: float) -> list[IndexRow]:
        self._drop_old(now)
        return [IndexRow(id, held.index, tuple(held.sets), held.mark) for id, held in self._held.items()]

    async def read_bodies(self, ids: Sequence[str]) -> list[bytes | None]:
        return [held.body if (held := self._held.get(id)) is not None else None for id in ids]

    async def mark(self, id: str, mark: str, now: float) -> bool:
        held = self._held.get(id)
        if held is None:
            return False
        held.mark = mark
        if MARKED not in held.sets:
            self._enter(id, MARKED, now)
        return True

    async def delete(self, ids: Sequence[str]) -> int:
        return sum(self._remove(id) for id in ids)

    async def close(self) -> None: ...

    def _enter(self, id: str, name: str, rank: float) -> None:
        self._sets.setdefault(name, _Set()).put(id, rank)
        self._held[id].sets.append(name)

    def _leave(self, id: str, name: str) -> None:
        """Take a sample from a set; without a set it is not kept."""
        del self._sets[name].ranks[id]
        self._held[id].sets.remove(name)
        if not self._held[id].sets:
            self._remove(id)

    def _remove(self, id: str) -> bool:
        held = self._held.pop(id, None)
        if held is None:
            return False
        self._size -= held.size
        for name in held.sets:
            self._sets[name].ranks.pop(id, None)
            if not self._sets[name].ranks:
                del self._sets[name]
        return True

    def _drop_old(self, now: float) -> None:
        while self._held:
            id, held = next(iter(self._held.items()))
            if held.t > now - self.bounds.ttl_s:
                return
            self._remove(id)
