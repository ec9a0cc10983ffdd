"""A run as it was read: its head, and rows by recipe in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from reward_gateway.telemetry.sketches import Summary, drift_of_summaries, merge_summaries

from .heads import Head, decode_head
from .rows import Row, decode_row, describe_row
from .store import StoredRun

Bucket = Literal["minute", "hour", "step"]

SECONDS: Mapping[str, int] = {"minute": 60, "hour": 3600}
SLOTS: Mapping[str, int] = {"minute": 24 * 60, "hour": 30 * 24, "step": 20_000}
"""Rows of each width: of a day, of thirty days, and of the last 20,000 steps."""


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run with rows of one width.

    Attributes:
        revision: changes with every change of the run.
        series: rows by recipe, the oldest first.
    """

    revision: bytes
    head: Head
    bucket: Bucket
    series: Mapping[str, Sequence[Row]]

    @classmethod
    def of(cls, run: StoredRun, bucket: Bucket, now: float) -> Self:
        """Decode a run; rows that are too old, whose slots no newer ones have taken, are left out."""
        head = decode_head(run.head)
        series: dict[str, list[Row]] = {recipe: [] for recipe in head.rewards}
        width = SECONDS.get(bucket)
        for (table, _), stored in run.rows.items():
            row = decode_row(stored)
            if width is None or row.at > int(now) // width - SLOTS[bucket]:
                series[table.recipe].append(row)
        for rows in series.values():
            rows.sort(key=lambda row: row.at)
        return cls(run.revision, head, bucket, series)

    def describe(self, *, shared: bool, after: int | None = None) -> dict[str, Any]:
        """The answer of ``GET /v1/runs/{run}``.

        Args:
            after: leave out rows whose ``t`` or ``step`` is not above it.
        """
        width = SECONDS.get(self.bucket)
        place = "step" if width is None else "t"
        rewards = {}
        for recipe, rows in self.series.items():
            told = [(row.at * (width or 1), row) for row in rows]
            rewards[recipe] = {
                "versions": self.head.describe_versions(recipe),
                "series": [{place: at, **describe_row(row)} for at, row in told if after is None or at > after],
            }
        return {**self.head.describe(), "bucket": self.bucket, "shared": shared, "rewards": rewards}

    def keep_within(self, wanted: range) -> Self:
        """The run with some of its rows alone."""
        series = {recipe: [row for row in rows if row.at in wanted] for recipe, rows in self.series.items()}
        return replace(self, series=series)

    def summarise_first(self, share: float) -> dict[str, Summary]:
        """By recipe, the rewards of the first rows: a share of all of them, at least one. Of one row alone: nothing."""
        return {
            recipe: merge_summaries([row.reward for row in rows[: max(1, round(share * len(rows)))]])
            for recipe, rows in self.series.items()
            if len(rows) > 1
        }

    def summarise_rows(self) -> dict[str, Summary]:
        """By recipe, the rewards of all rows."""
        return {recipe: merge_summaries([row.reward for row in rows]) for recipe, rows in self.series.items() if rows}

    def measure_drift(self, before: Mapping[str, Summary]) -> dict[str, dict[str, float] | None]:
        """By recipe, how far the rewards of the newest tenth of its rows moved from others.

        Args:
            before: by recipe, the rewards that the newest are compared with.

        Returns:
            ``psi`` and ``ks``, see :func:`.statistics.measure_drift`; None where too few samples tell.
        """
        found: dict[str, dict[str, float] | None] = {}
        for recipe, rows in self.series.items():
            newest = [row.reward for row in rows[-max(1, len(rows) // 10) :]]
            known = before.get(recipe)
            found[recipe] = drift_of_summaries(known, merge_summaries(newest)) if known is not None and rows else None
        return found
