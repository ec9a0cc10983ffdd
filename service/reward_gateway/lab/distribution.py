"""The scores of chosen and of rejected responses, in common bins."""

from collections.abc import Sequence

import numpy as np

from reward_gateway.sample import FloatArray

from .report import Distribution, Moments
from .scores import RowScores

BINS = 40
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def measure_distribution(scores: Sequence[RowScores]) -> Distribution:
    """Moments, quantiles and histogram of all scores that are numbers; one bin where all are equal."""
    chosen, rejected = (_numbers([getattr(row, side) for row in scores]) for side in ("chosen", "rejected"))
    return Distribution(*measure_together(chosen, rejected))


def measure_together(first: FloatArray, second: FloatArray) -> tuple[list[float], Moments, Moments]:
    """The edges of bins that two columns of numbers share, and what each column is like."""
    edges = _edges(np.concatenate([first, second]))
    return edges.tolist(), _measure(first, edges), _measure(second, edges)


def _edges(values: FloatArray) -> FloatArray:
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, high, BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])


def _measure(values: FloatArray, edges: FloatArray) -> Moments:
    size = len(values)
    quantiles = (
        dict(zip(map("{:g}".format, _QUANTILES), np.quantile(values, _QUANTILES).tolist(), strict=True)) if size else {}
    )
    return Moments(
        size,
        float(values.mean()) if size else None,
        float(values.std(ddof=1)) if size > 1 else None,
        quantiles,
        np.histogram(values, edges)[0].tolist(),
    )


def _numbers(rows: list[FloatArray]) -> FloatArray:
    values = np.concatenate([np.empty(0), *rows])
    return np.asarray(values[~np.isnan(values)])
