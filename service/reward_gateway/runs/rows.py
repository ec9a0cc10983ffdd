"""One row of a run's history: the mergeable summary of what was scored in one bucket (a minute, an hour or a step).

A row holds numbers alone. Merging rows gives the row of all their samples, in any order: counts, means and standard
deviations exactly, quantiles as precisely as the bounded sketches tell. The correlation with the length is Spearman's
of what was summarised together, averaged over rows by their samples.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from reward_gateway.operations.groups import Groups, measure
from reward_gateway.sample import FloatArray, IntArray
from reward_gateway.telemetry.sketches import (
    Summary,
    coarsen_summary,
    merge_summaries,
    pack_summary,
    quantiles_of_summary,
    summarise_values,
    unpack_summary,
)
from reward_gateway.telemetry.statistics import rank_correlation
from reward_gateway.telemetry.window import LENGTH, REWARD, Columns

MOST_BINS = 64
"""Bins of a row's sketches: quantiles of up to as many distinct rewards are exact to 1 %, others to 1 % of the rank."""

LEAST_CORRELATED = 3
"""Samples of which a correlation is told."""


class Moments(msgspec.Struct, array_like=True):
    """Count, mean, and sum of squared deviations from it, of a column's finite numbers."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0


class Row(msgspec.Struct, array_like=True):
    """The summary of one bucket.

    Attributes:
        at: the bucket: minutes or hours since 1970, or the step.
        n: samples, of which ``invalid`` have no reward and ``flagged`` carry flags.
        reward: the rewards before the comparison within groups.
        advantage: what comparing recipes answer; empty for others.
        components: by name, after the transforms.
        groups: groups of two or more valid samples, of which ``equal_groups`` have equal rewards.
        correlated, correlation: samples whose correlation with the length is known, and the sum of it over them.
    """

    at: int
    n: int = 0
    invalid: int = 0
    flagged: int = 0
    reward: Summary = msgspec.field(default_factory=Summary)
    advantage: Summary = msgspec.field(default_factory=Summary)
    components: dict[str, Moments] = {}
    groups: int = 0
    equal_groups: int = 0
    correlated: int = 0
    correlation: float = 0.0


def summarise_rows(
    at: int, columns: Columns, advantage: FloatArray | None, groups: IntArray, invalid: int, flagged: int
) -> Row:
    """The row of a set of samples.

    Args:
        columns: reward, length and components, by column [n]; the reward is NaN where a sample is invalid.
        advantage: [n]; None: the recipe does not compare samples.
        groups: [n], equal for samples of one group.
    """
    reward = columns[REWARD]
    equal, told = _count_groups(reward, groups)
    correlation = rank_correlation(reward, columns[LENGTH], LEAST_CORRELATED)
    both = int(np.count_nonzero(np.isfinite(reward) & np.isfinite(columns[LENGTH]))) if correlation is not None else 0
    return Row(
        at,
        len(reward),
        invalid,
        flagged,
        coarsen_summary(summarise_values(reward), MOST_BINS),
        Summary()
        if advantage is None
        else coarsen_summary(summarise_values(np.where(np.isfinite(reward), advantage, np.nan)), MOST_BINS),
        {column.name: _moments_of(values) for column, values in columns.items() if column.stage == "value"},
        told,
        equal,
        both,
        0.0 if correlation is None else correlation * both,
    )


def merge_rows(rows: Sequence[Row]) -> Row:
    """Merge rows of one bucket; of several buckets, that of the first is named."""
    if len(rows) == 1:
        return rows[0]
    moments: dict[str, list[Moments]] = {}
    for row in rows:
        for name, part in row.components.items():
            moments.setdefault(name, []).append(part)
    return Row(
        rows[0].at,
        sum(row.n for row in rows),
        sum(row.invalid for row in rows),
        sum(row.flagged for row in rows),
        coarsen_summary(merge_summaries([row.reward for row in rows]), MOST_BINS),
        coarsen_summary(merge_summaries([row.advantage for row in rows]), MOST_BINS),
        {name: _merge_moments(parts) for name, parts in moments.items()},
        sum(row.groups for row in rows),
        sum(row.equal_groups for row in rows),
        sum(row.correlated for row in rows),
        math.fsum(row.correlation for row in rows),
    )


def describe_row(row: Row) -> dict[str, Any]:
    """A row as the API answers it, without its bucket. What too few samples tell is None.

    ``std`` has the divisor n - 1, as trainers log it.
    """
    advantage = _describe_summary(row.advantage) if row.advantage.count else None
    return {
        "n": row.n,
        "invalid": row.invalid,
        "flagged": row.flagged,
        **_describe_summary(row.reward),
        "components": {
            name: {"mean": part.mean if part.count else None, "std": _std(part.count, part.squares)}
            for name, part in row.components.items()
        },
        "zero_variance_share": row.equal_groups / row.groups if row.groups else None,
        "length_correlation": row.correlation / row.correlated if row.correlated else None,
        "advantage": advantage,
    }


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode


def encode_row(row: Row) -> bytes:
    """A row as bytes; a sketch takes about three bytes per bin."""
    return _encode(msgspec.structs.replace(row, reward=pack_summary(row.reward), advantage=pack_summary(row.advantage)))


def decode_row(stored: bytes) -> Row:
    """The row that :func:`encode_row` encoded. Raises msgspec.DecodeError."""
    row = _decode(stored)
    row.reward, row.advantage = unpack_summary(row.reward), unpack_summary(row.advantage)
    return row


def _count_groups(reward: FloatArray, groups: IntArray) -> tuple[int, int]:
    """Groups whose members are equal, and groups of two or more valid members."""
    if len(reward) < 2:
        return 0, 0
    names, index = np.unique(groups, return_inverse=True)
    with np.errstate(over="ignore", invalid="ignore"):  # means of very large rewards, which nobody reads here
        found = measure(reward, Groups(index, len(names)))
    several = found.sizes > 1
    return int(np.count_nonzero(found.equal & several)), int(np.count_nonzero(several))


def _moments_of(values: FloatArray) -> Moments:
    numbers = values[np.isfinite(values)]
    if not len(numbers):
        return Moments()
    scale = max(1.0, float(np.abs(numbers).max()))  # so that sums of very large numbers stay finite
    mean = float(np.mean(numbers / scale) * scale)
    with np.errstate(over="ignore"):
        squares = float(np.sum((numbers - mean) ** 2))
    return Moments(len(numbers), mean, min(squares, sys.float_info.max))


def _merge_moments(parts: Sequence[Moments]) -> Moments:
    total = sum(part.count for part in parts)
    if not total:
        return Moments()
    mean = math.fsum(part.mean * (part.count / total) for part in parts)
    spread = [part.squares + part.count * (part.mean - mean) * (part.mean - mean) for part in parts]
    return Moments(total, mean, min(sum(spread), sys.float_info.max))


def _describe_summary(summary: Summary) -> dict[str, Any]:
    if not summary.count:
        return {"mean": None, "std": None, "quantiles": None}
    return {
        "mean": summary.mean,
        "std": _std(summary.count, summary.squares),
        "quantiles": quantiles_of_summary(summary),
    }


def _std(count: int, squares: float) -> float | None:
    return math.sqrt(squares / (count - 1)) if count > 1 else None
