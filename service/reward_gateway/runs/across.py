"""A recipe over all runs of a caller, or of all callers: the rows of each minute or hour merged."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reward_gateway.errors import NotFound

from .heads import Head, Version, decode_head
from .history import RunHistory
from .loaded import Bucket, LoadedRun
from .rows import Row, merge_rows
from .store import RunName, StoredRun

MOST_RUNS = 200
"""Runs that are looked at: those seen last."""


@dataclass(slots=True)
class RecipeRuns:
    """Reads a recipe over all runs again and again; only the rows of runs that have changed are read anew.

    Args:
        caller: None: the runs of all callers.
        bucket: a minute or an hour; steps of different runs are not the same.
        newest: minutes or hours up to now.
    """

    history: RunHistory
    caller: str | None
    recipe: str
    bucket: Bucket
    newest: int
    _runs: dict[RunName, LoadedRun] = field(default_factory=dict, init=False)

    async def load(self) -> tuple[LoadedRun, int]:
        """All runs as one run without a name, with its newest rows, and how many they are.

        Raises:
            NotFound: no run has the recipe.
            StateUnavailable: the store is away.
        """
        wanted = self.history.list_newest(self.bucket, self.newest)
        self._runs = await self._read(wanted, self._runs)
        return await asyncio.to_thread(self._merge, list(self._runs.values()), wanted), len(self._runs)

    async def load_within(self, wanted: range) -> LoadedRun:
        """The same with the rows of some minutes or hours since 1970."""
        return await asyncio.to_thread(self._merge, list((await self._read(wanted, {})).values()), wanted)

    async def _read(self, wanted: range, held: Mapping[RunName, LoadedRun]) -> dict[RunName, LoadedRun]:
        known = {name: run.revision for name, run in held.items()}
        runs, changed = await self.history.read_recipe(self.caller, self.recipe, self.bucket, wanted, MOST_RUNS, known)
        loaded = await asyncio.to_thread(self._decode, changed, self.history.clock())
        names = [RunName(head.caller, head.run) for head in (decode_head(run.head) for run in runs)]
        found = {name: run for name in names if (run := loaded.get(name) or held.get(name)) is not None}
        if not found:
            raise NotFound("no run of this caller has samples of that recipe, or their history is no longer kept")
        return found

    def _decode(self, changed: Iterable[StoredRun], now: float) -> dict[RunName, LoadedRun]:
        runs = [LoadedRun.of(stored, self.bucket, now) for stored in changed]
        return {RunName(run.head.caller, run.head.run): run for run in runs}

    def _merge(self, runs: Sequence[LoadedRun], wanted: range) -> LoadedRun:
        rows: dict[int, list[Row]] = {}
        for run in runs:
            for row in run.series.get(self.recipe, ()):
                if row.at in wanted:
                    rows.setdefault(row.at, []).append(row)
        series = [merge_rows(rows[at]) for at in sorted(rows)]
        heads = [run.head for run in runs]
        head = Head(
            self.caller or "",
            "",
            min(head.first_seen for head in heads),
            max(head.last_seen for head in heads),
            sum(row.n for row in series),
            sum(row.invalid for row in series),
            {self.recipe: _join_versions(head.rewards[self.recipe] for head in heads)},
        )
        revision = hashlib.blake2b(b"".join(sorted(run.revision for run in runs)), digest_size=8).digest()
        return LoadedRun(revision, head, self.bucket, {self.recipe: series})


def _join_versions(of_runs: Iterable[list[Version]]) -> list[Version]:
    """The versions of all runs in the order of their beginning; without a step, which is one of a run."""
    joined: list[Version] = []
    for found in sorted((version for versions in of_runs for version in versions), key=lambda each: each.since):
        if not any(found.version == known.version for known in joined):
            joined.append(Version(found.version, found.since))
    return joined
