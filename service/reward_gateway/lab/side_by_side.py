"""Two rewards of the same samples beside each other: how far they agree, and where they do not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reward_gateway.experiments.comparison import LEAST, compare_order
from reward_gateway.sample import FloatArray
from reward_gateway.telemetry.statistics import find_scale, pearson_correlation, rank_correlation, rank_values

from .distribution import measure_together
from .length_bias import fit_slope
from .report import Estimate, Moments

ORDERED = 1000
"""Samples of which all pairs are compared, where no prompt has several."""

MOST = 50
"""Disagreements that are listed."""

_NARROWEST = 0.1
_PAIRED = 256


@dataclass(frozen=True, slots=True)
class Order:
    """In how far two rewards order the same pairs alike.

    Attributes:
        agreement: share of the pairs that A does not tie which B orders as A does; a tie of B counts half.
        groups: prompts with several samples, whose pairs were compared; 0: pairs of any samples were.
        best_changed: share of those prompts whose best sample is another one; None without such prompts.
    """

    agreement: float | None
    groups: int
    best_changed: float | None


@dataclass(frozen=True, slots=True)
class Distributions:
    """Both rewards in common bins.

    Attributes:
        standardized: in standard deviations from each one's mean, since their scales have too little in common.
    """

    edges: list[float]
    a: Moments
    b: Moments
    standardized: bool


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A sample that one reward ranks higher than the other.

    Attributes:
        row: of the arrays that were compared.
        a, b: its rewards.
        rank_a, rank_b: share of the samples below it, ties counting half.
    """

    row: int
    a: float
    b: float
    rank_a: float
    rank_b: float


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What is said about two rewards, over the samples that both have scored.

    Attributes:
        rows: of the arrays that were compared.
        pearson, spearman: None for fewer than three samples, or if one side is constant.
        slopes: of each reward on the words of the response, per 100; None: lengths are not known.
        disagreements: the largest first.
    """

    rows: list[int]
    pearson: float | None
    spearman: float | None
    order: Order
    distributions: Distributions
    slopes: tuple[Estimate, Estimate] | None
    disagreements: list[Disagreement]


def compare_side_by_side(
    a: FloatArray, b: FloatArray, groups: Sequence[str], words: FloatArray | None = None
) -> SideBySide:
    """Compare two rewards.

    Args:
        a, b: [n] rewards, NaN where there is none.
        groups: [n] what names the prompt.
        words: [n] of the responses.
    """
    rows = np.flatnonzero(np.isfinite(a) & np.isfinite(b))
    first, second = a[rows], b[rows]
    prompts = [groups[k] for k in rows.tolist()]
    slopes = None
    if words is not None:
        slopes = fit_slope(words[rows], first, prompts), fit_slope(words[rows], second, prompts)
    return SideBySide(
        rows.tolist(),
        pearson_correlation(first, second, LEAST),
        rank_correlation(first, second, LEAST),
        _measure_order(first, second, prompts),
        _measure_distributions(first, second),
        slopes,
        _list_disagreements(rows.tolist(), first, second),
    )


def _measure_order(a: FloatArray, b: FloatArray, prompts: Sequence[str]) -> Order:
    found = compare_order(prompts, a, b, _PAIRED)
    if found["groups"]:
        return Order(found["pair_agreement"], int(found["groups"]), found["best_changed"])
    chosen = spread_evenly(len(a), ORDERED)
    every = compare_order([""] * len(chosen), a[chosen], b[chosen], ORDERED)
    return Order(every["pair_agreement"], 0, None)


def _measure_distributions(a: FloatArray, b: FloatArray) -> Distributions:
    standardized = not _share_a_scale(a, b)
    if standardized:
        a, b = _standardize(a), _standardize(b)
    return Distributions(*measure_together(a, b), standardized)


def _share_a_scale(a: FloatArray, b: FloatArray) -> bool:
    """Whether the middle 90 % of each fills at least a tenth of what both cover together."""
    if not len(a):
        return True
    both = np.concatenate([a, b])
    scale = find_scale(both)
    whole = float(np.ptp(both / scale))
    spans = [float(np.diff(np.quantile(side / scale, (0.05, 0.95)))[0]) for side in (a, b)]
    constant = [float(np.ptp(side)) == 0 for side in (a, b)]
    return scale == 1.0 and all(flat or span >= _NARROWEST * whole for flat, span in zip(constant, spans, strict=True))


def _standardize(values: FloatArray) -> FloatArray:
    scaled = values / find_scale(values)
    spread = float(scaled.std())
    return np.asarray((scaled - scaled.mean()) / (spread if spread > 0 else 1.0))


def _list_disagreements(rows: Sequence[int], a: FloatArray, b: FloatArray) -> list[Disagreement]:
    if not len(rows):
        return []
    ranks = [(rank_values(side) - 0.5) / len(rows) for side in (a, b)]
    apart = np.abs(ranks[0] - ranks[1])
    largest = [k for k in np.argsort(-apart, kind="stable")[:MOST].tolist() if apart[k] > 0]
    return [Disagreement(rows[k], float(a[k]), float(b[k]), float(ranks[0][k]), float(ranks[1][k])) for k in largest]


def spread_evenly(size: int, most: int) -> list[int]:
    """At most so many places of a sequence, evenly spread over it."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(np.intp)).tolist() if size else []
