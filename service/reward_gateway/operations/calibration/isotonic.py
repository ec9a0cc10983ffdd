"""Isotonic regression: the rising step function nearest to labels, by pooling adjacent violators."""

import numpy as np
from scipy.optimize import isotonic_regression

from reward_gateway.sample import BoolArray, FloatArray

from .calibration import Curve


def fit_isotonic(scores: FloatArray, labels: BoolArray) -> Curve:
    """The curve through the ends of each block of equal probability. [n], [n] -> curve with y in [0, 1]."""
    x, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(index, weights=labels.astype(np.float64)) / counts
    y = np.clip(isotonic_regression(shares, weights=counts.astype(np.float64)).x, 0.0, 1.0)
    differs = np.diff(y) != 0.0
    corners = np.concatenate([[True], differs]) | np.concatenate([differs, [True]])
    return Curve(x=tuple(x[corners].tolist()), y=tuple(y[corners].tolist()))
