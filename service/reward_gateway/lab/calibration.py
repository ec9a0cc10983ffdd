"""Calibration: is a pair with p = σ(|margin| / T) right in a share p of the cases?"""

import numpy as np
from scipy.special import expit

from .pair_margins import Margins
from .report import Bin, Calibration

TEMPERATURE = 1.0
BINS = 10


def measure_calibration(pairs: Margins) -> Calibration:
    """Ten equal bins of p on [.5, 1], and ECE = Σ (n of the bin / n) · |accuracy − mean p|. A tie is half right."""
    p = expit(np.abs(pairs.margins) / TEMPERATURE)
    right, size = pairs.outcomes, len(p)
    place = np.minimum(((p - 0.5) * 2 * BINS).astype(np.intp), BINS - 1)
    bins, error = [], 0.0
    for k in range(BINS):
        inside = place == k
        n = int(inside.sum())
        confidence, accuracy = (float(values[inside].mean()) if n else None for values in (p, right))
        bins.append(Bin(0.5 + k / (2 * BINS), 0.5 + (k + 1) / (2 * BINS), n, confidence, accuracy))
        if confidence is not None and accuracy is not None:
            error += n / size * abs(accuracy - confidence)
    return Calibration(n=size, temperature=TEMPERATURE, ece=error if size else None, bins=bins)
