"""What is said of a window of numbers: where they lie, how far they moved, and what they go along with.

Everything takes plain arrays in which NaN is no observation, and gives None where too little was seen.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy.stats import rankdata

from reward_gateway.sample import FloatArray

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 10
"""Bins of the population stability index: tenths of the reference."""

LEAST = 100
"""Observations on either side, below which no drift and no correlation is reported."""


def finite(values: FloatArray) -> FloatArray:
    """The observations."""
    return values[np.isfinite(values)]


def describe(values: FloatArray) -> dict[str, Any]:
    """Count, mean, population std, min, max, quantiles and the saturated share of the observations."""
    seen = finite(values)
    if not len(seen):
        return {"count": 0, "mean": None, "std": None, "min": None, "max": None, "quantiles": None, "saturated": None}
    scale = max(1.0, float(np.abs(seen).max()))  # so that squares of very large numbers stay finite
    return {
        "count": len(seen),
        "mean": float(np.mean(seen / scale) * scale),
        "std": float(np.std(seen / scale) * scale),
        "min": float(seen.min()),
        "max": float(seen.max()),
        "quantiles": {f"{q:g}": float(x) for q, x in zip(QUANTILES, np.quantile(seen, QUANTILES), strict=True)},
        "saturated": saturated(seen),
    }


def saturated(values: FloatArray) -> float | None:
    """Share of the observations that stand at one end of their range, the fuller one.

    Near 0 for a score that still tells samples apart, 1 where all are alike; of a rule that gives 0 or 1 it is the
    share of the commoner answer.
    """
    seen = finite(values)
    if not len(seen):
        return None
    return float(max(np.mean(seen == seen.min()), np.mean(seen == seen.max())))


def drift(reference: FloatArray, current: FloatArray) -> dict[str, float] | None:
    """How far a distribution moved from its reference.

    ``psi``: population stability index, sum over tenths of the reference of (q - p) ln(q / p), each share with half
    an observation more so that it is never 0; below 0.1 is usually called stable and above 0.25 a shift.
    ``ks``: Kolmogorov-Smirnov distance, the greatest gap of the two distribution functions, in [0, 1].
    """
    before, now = np.sort(finite(reference)), np.sort(finite(current))
    if min(len(before), len(now)) < LEAST:
        return None
    edges = np.unique(np.quantile(before, np.arange(1, BINS) / BINS))
    p, q = _counts(before, edges), _counts(now, edges)
    held = (p > 0) | (q > 0)
    p, q = _shares(p[held]), _shares(q[held])
    return {"psi": float(((q - p) * np.log(q / p)).sum()), "ks": _distance(before, now)}


def drift_of_counts(
    before: FloatArray, before_counts: FloatArray, now: FloatArray, now_counts: FloatArray
) -> dict[str, float]:
    """As :func:`drift`, of ascending values that were seen so many times each."""
    below, today = np.cumsum(before_counts), np.cumsum(now_counts)
    tenths = np.minimum(np.searchsorted(below, np.arange(1, BINS) / BINS * below[-1]), len(before) - 1)
    edges = np.unique(before[tenths])

    def up_to(values: FloatArray, summed: FloatArray, places: FloatArray, side: Literal["left", "right"]) -> FloatArray:
        """How many observations are below (left) each place, or at it too (right)."""
        return np.asarray(np.concatenate([[0.0], summed])[np.searchsorted(values, places, side=side)])

    def binned(values: FloatArray, summed: FloatArray) -> FloatArray:
        cuts = np.stack([up_to(values, summed, edges, "left"), up_to(values, summed, edges, "right")], axis=1).ravel()
        return np.asarray(np.diff(cuts, prepend=0, append=summed[-1]))

    p, q = binned(before, below), binned(now, today)
    held = (p > 0) | (q > 0)
    p, q = _shares(p[held]), _shares(q[held])
    places = np.union1d(before, now)
    gaps = up_to(before, below, places, "right") / below[-1] - up_to(now, today, places, "right") / today[-1]
    return {"psi": float(((q - p) * np.log(q / p)).sum()), "ks": float(np.abs(gaps).max())}


def _counts(ordered: FloatArray, edges: FloatArray) -> FloatArray:
    """Counts of sorted values below the first edge, at it, between it and the next, and so on.

    A value that fills several tenths (a rule that mostly gives 1) is an edge; without a bin of its own, a move to
    it from the values just below would stay unseen.
    """
    below = np.searchsorted(ordered, edges, side="left")
    up_to = np.searchsorted(ordered, edges, side="right")
    cuts = np.stack([below, up_to], axis=1).ravel()
    counts: FloatArray = np.diff(cuts, prepend=0, append=len(ordered)).astype(np.float64)
    return counts


def _shares(counts: FloatArray) -> FloatArray:
    return np.asarray((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))


def _distance(before: FloatArray, now: FloatArray) -> float:
    places = np.concatenate([before, now])
    gaps = np.searchsorted(before, places, side="right") / len(before)
    gaps = gaps - np.searchsorted(now, places, side="right") / len(now)
    return float(np.abs(gaps).max())


def rank_correlation(x: FloatArray, y: FloatArray) -> float | None:
    """Spearman's rank correlation of the rows in which both are observed; None where one of them is constant."""
    both = np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(both) < LEAST:
        return None
    a, b = rankdata(x[both]), rankdata(y[both])
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.clip(np.corrcoef(a, b)[0, 1], -1.0, 1.0))


def disagreement(members: Sequence[FloatArray]) -> float | None:
    """Mean over rows of the population std over an ensemble's members, where all of them answered."""
    if len(members) < 2:
        return None
    table = np.stack(members)
    table = table[:, np.isfinite(table).all(axis=0)]
    return float(np.std(table, axis=0).mean()) if table.shape[1] else None
