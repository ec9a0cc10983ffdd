"""Summarises a window for people and dashboards: shares, distributions, drift and correlations."""

from collections.abc import Mapping
from typing import Any

from .statistics import describe_values, ensemble_disagreement, measure_agreement, measure_drift, rank_correlation
from .window import LENGTH, REWARD, Column, Columns, Stage


def report_of(columns: Columns, reference: Columns | None, since: int, ensemble: tuple[str, ...]) -> dict[str, Any]:
    """The report of one recipe.

    Args:
        columns: the latest rows, oldest first.
        reference: the rows that they are compared with; None while there are too few.
        since: number of rows after the reference; only those are compared with it.

    Returns:
        ``samples`` (rows in the window), ``reference_samples``, ``reward`` and ``components`` (by name ``value`` and,
        if transforms change it, ``raw``): distributions with their ``drift``; ``invalid`` and ``flagged``: shares
        by code and by guard; ``length_correlation`` (Spearman, of the reward with the characters of the response) and
        ``ensemble_disagreement``; ``audits``: agreement with the reward, by component. Values that cannot be computed
        yet are None.
    """
    rows = len(columns[REWARD]) if REWARD in columns else 0
    start = max(0, rows - since)

    def describe_column(column: Column) -> dict[str, Any]:
        moved = measure_drift(reference[column], columns[column][start:]) if reference and column in reference else None
        return {**describe_values(columns[column]), "drift": moved}

    components: dict[str, dict[str, Any]] = {c.name: {} for c in columns if c.stage == "value"}
    for column in columns:
        if column.stage in ("value", "raw"):
            components[column.name][column.stage] = describe_column(column)
    members = [columns[Column("value", name)] for name in ensemble if Column("value", name) in columns]
    return {
        "samples": rows,
        "reference_samples": len(reference[REWARD]) if reference else 0,
        "reward": describe_column(REWARD),
        "components": components,
        "invalid": _column_shares(columns, "invalid"),
        "flagged": _column_shares(columns, "flag"),
        "length_correlation": rank_correlation(columns[REWARD], columns[LENGTH]),
        "ensemble_disagreement": ensemble_disagreement(members),
        "audits": {c.name: measure_agreement(columns[REWARD], columns[c]) for c in columns if c.stage == "audit"},
    }


def _column_shares(columns: Mapping[Column, Any], stage: Stage) -> dict[str, float]:
    """Share of rows by name, without names whose share is 0."""
    shares = {column.name: float(values.mean()) for column, values in columns.items() if column.stage == stage}
    return {name: share for name, share in shares.items() if share > 0}
