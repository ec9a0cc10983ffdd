"""Where the history of runs is kept: in this process, or in Redis for all workers and pods (:mod:`.redis_store`).

A run has a head and tables of rows; a table has a fixed number of slots, so that a row of a new bucket takes the place
of the oldest. All rows of a run change together with its head, and only if nobody has changed it since it was read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

MOST_RUNS = 1000
"""Runs of one caller; with another one, the one that was seen least recently is forgotten."""

ROW_BYTES = 100
"""What a row takes beside its own bytes."""


class RunName(NamedTuple):
    """A run of a caller; empty for requests that name none."""

    caller: str
    run: str


class Table(NamedTuple):
    """A table of a run: of one recipe, and of one width of its buckets."""

    recipe: str
    bucket: str


Place = tuple[Table, int]
"""A slot of a table."""


class StoredRun(NamedTuple):
    """What is stored of a run.

    Attributes:
        revision: changes with every write; empty: there is no such run.
    """

    revision: bytes
    head: bytes
    rows: Mapping[Place, bytes]


NO_RUN = StoredRun(b"", b"", {})


class RunChange(NamedTuple):
    """Rows of a run that replace others.

    Attributes:
        expected: the revision that they were made from.
        seen: seconds since 1970 when the run was last seen.
    """

    name: RunName
    expected: bytes
    revision: bytes
    head: bytes
    rows: Mapping[Place, bytes]
    seen: float


class RunStore(Protocol):
    """Keeps the history of runs. What a store raises that cannot be reached is up to it (:attr:`away`).

    Attributes:
        shared: whether other processes see the same.
        away: exceptions of a store that cannot be reached.
    """

    shared: bool
    away: tuple[type[Exception], ...]

    async def read_places(self, wanted: Sequence[tuple[RunName, Iterable[Place]]]) -> list[StoredRun]:
        """Runs with some of their rows, in the order of the names."""

    async def read_tables(self, name: RunName, tables: Sequence[Table]) -> StoredRun:
        """A run with all rows of some tables."""

    async def write(self, changes: Sequence[RunChange]) -> list[bool]:
        """Write changes; False for a run that somebody else has changed since it was read. Then make room."""

    async def list_runs(self, caller: str | None, before: tuple[float, str] | None, limit: int) -> list[StoredRun]:
        """Heads of runs, the one seen last first.

        Args:
            caller: None: of all callers.
            before: the time and name after which the list goes on (:func:`name_key`); None: it begins.
        """

    async def forget(self, name: RunName) -> bool:
        """Remove a run; False if there is none."""

    async def close(self) -> None:
        """Release what the store holds."""


def name_key(name: RunName) -> str:
    """A run's name in one text, by which runs that were seen at the same time are ordered."""
    return f"{name.caller}/{name.run}"


def parse_name_key(key: str) -> RunName:
    """The name that :func:`name_key` wrote; names of callers hold no slash."""
    caller, _, run = key.partition("/")
    return RunName(caller, run)


@dataclass(slots=True)
class _Held:
    revision: bytes
    head: bytes
    seen: float
    rows: dict[Place, bytes] = field(default_factory=dict)
    size: int = 0


@dataclass(slots=True)
class LocalRunStore:
    """Implements :class:`RunStore` in this process.

    Args:
        max_bytes: of all runs; beyond it the ones seen least recently are forgotten.
    """

    max_bytes: int
    shared: bool = field(default=False, init=False)
    away: tuple[type[Exception], ...] = field(default=(), init=False)
    _runs: dict[RunName, _Held] = field(default_factory=dict, init=False)  # the one seen least recently first
    _size: int = field(default=0, init=False)

    async def read_places(self, wanted: Sequence[tuple[RunName, Iterable[Place]]]) -> list[StoredRun]:
        found = []
        for name, places in wanted:
            held = self._runs.get(name)
            rows = {} if held is None else {place: held.rows[place] for place in places if place in held.rows}
            found.append(NO_RUN if held is None else StoredRun(held.revision, held.head, rows))
        return found

    async def read_tables(self, name: RunName, tables: Sequence[Table]) -> StoredRun:
        held = self._runs.get(name)
        if held is None:
            return NO_RUN
        rows = {place: row for place, row in held.rows.items() if place[0] in tables}
        return StoredRun(held.revision, held.head, rows)

    async def write(self, changes: Sequence[RunChange]) -> list[bool]:
        written = [self._write_run(change) for change in changes]
        for caller in {change.name.caller for change in changes if not change.expected}:
            own = [name for name in self._runs if name.caller == caller]
            for name in own[: max(0, len(own) - MOST_RUNS)]:
                self._remove(name)
        while self._size > self.max_bytes and len(self._runs) > 1:
            self._remove(next(iter(self._runs)))
        return written

    def _write_run(self, change: RunChange) -> bool:
        held = self._runs.pop(change.name, None) or _Held(b"", b"", change.seen)
        self._runs[change.name] = held
        if held.revision != change.expected:
            return False
        grown = len(change.head) - len(held.head)
        for place, row in change.rows.items():
            before = held.rows.get(place)
            grown += len(row) + ROW_BYTES if before is None else len(row) - len(before)
            held.rows[place] = row
        held.revision, held.head, held.seen = change.revision, change.head, change.seen
        held.size += grown
        self._size += grown
        return True

    async def list_runs(self, caller: str | None, before: tuple[float, str] | None, limit: int) -> list[StoredRun]:
        found = sorted(
            (
                ((held.seen, name_key(name)), held)
                for name, held in self._runs.items()
                if caller is None or name.caller == caller
            ),
            key=lambda entry: entry[0],
            reverse=True,
        )
        later = [held for key, held in found if before is None or key < before]
        return [StoredRun(held.revision, held.head, {}) for held in later[:limit]]

    async def forget(self, name: RunName) -> bool:
        return self._remove(name)

    def _remove(self, name: RunName) -> bool:
        held = self._runs.pop(name, None)
        self._size -= held.size if held is not None else 0
        return held is not None

    async def close(self) -> None: ...
