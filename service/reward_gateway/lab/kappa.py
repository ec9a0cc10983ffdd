"""Cohen's κ: agreement beyond that by chance."""

import math
from collections import Counter
from collections.abc import Sequence

from .intervals import Z95, Interval


def cohens_kappa(labels: Sequence[str], answers: Sequence[str]) -> tuple[float, Interval]:
    """Cohen's κ = (p_o − p_e) / (1 − p_e) (Cohen 1960), and its 95 % interval.

    The interval is κ ± 1.96 · sqrt(p_o (1 − p_o) / (n (1 − p_e)²)), within −1 to 1. NaN without any pair, and where
    labels and answers are all the same one (p_e = 1).
    """
    size = len(labels)
    nothing = math.nan, (math.nan, math.nan)
    if not size:
        return nothing
    observed = sum(label == answer for label, answer in zip(labels, answers, strict=True)) / size
    given, told = Counter(labels), Counter(answers)
    expected = sum(given[name] * told[name] for name in given) / size**2
    if expected >= 1:
        return nothing
    kappa = (observed - expected) / (1 - expected)
    half = Z95 * math.sqrt(observed * (1 - observed) / size) / (1 - expected)
    return kappa, (max(-1.0, kappa - half), min(1.0, kappa + half))
