"""How well probabilities agree with labels."""

import numpy as np
from scipy.special import xlog1py, xlogy

from reward_gateway.sample import BoolArray, FloatArray

BINS = 10
"""Bins of equal width of the expected calibration error."""


def measure_probabilities(probabilities: FloatArray, labels: BoolArray) -> dict[str, float | None]:
    """``log_loss`` (null where it is infinite), ``brier`` and ``ece`` of [n] probabilities for [n] labels.

    ECE: Σ over ten bins of equal width of their share of the points times |mean probability − share of label 1|.
    """
    truth = labels.astype(np.float64)
    log_loss = float(-np.mean(xlogy(truth, probabilities) + xlog1py(1.0 - truth, -probabilities)))
    bins = np.minimum((probabilities * BINS).astype(np.intp), BINS - 1)
    gaps = np.bincount(bins, weights=probabilities - truth, minlength=BINS)
    return {
        "log_loss": log_loss + 0.0 if np.isfinite(log_loss) else None,
        "brier": float(np.mean((probabilities - truth) ** 2)),
        "ece": float(np.abs(gaps).sum() / len(truth)),
    }


def correlate(a: FloatArray, b: FloatArray) -> float | None:
    """Pearson's correlation; None where one of the two is constant."""
    x, y = (values / max(float(np.abs(values).max()), 1.0) for values in (a, b))
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip(x @ y / scale, -1.0, 1.0)) if scale > 1e-12 * len(x) else None
