"""How far a judge agrees with labels, with itself, and with itself over both orders of a pair. Pure arithmetic."""

import math
from collections import Counter
from collections.abc import Sequence

Z95 = 1.959963984540054
"""Half-width of a 95 % interval in standard errors."""

Interval = tuple[float, float]


def accuracy(labels: Sequence[str], answers: Sequence[str]) -> float:
    """Share of answers that equal their labels; NaN without any."""
    equal = sum(label == answer for label, answer in zip(labels, answers, strict=True))
    return equal / len(labels) if labels else math.nan


def wilson_interval(share: float, size: int) -> Interval:
    """95 % interval of a share (Wilson 1927); (NaN, NaN) for no observations."""
    if not size:
        return math.nan, math.nan
    spread = Z95**2 / size
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / size + spread / (4 * size)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def cohens_kappa(labels: Sequence[str], answers: Sequence[str]) -> tuple[float, Interval]:
    """Cohen's κ = (p_o − p_e) / (1 − p_e) (Cohen 1960), and its 95 % interval.

    The interval is κ ± 1.96 · sqrt(p_o (1 − p_o) / (n (1 − p_e)²)), within −1 to 1. NaN without any pair, and where
    labels and answers are all the same one (p_e = 1).
    """
    size = len(labels)
    nothing = math.nan, (math.nan, math.nan)
    if not size:
        return nothing
    observed = accuracy(labels, answers)
    given, told = Counter(labels), Counter(answers)
    expected = sum(given[name] * told[name] for name in given) / size**2
    if expected >= 1:
        return nothing
    kappa = (observed - expected) / (1 - expected)
    half = Z95 * math.sqrt(observed * (1 - observed) / size) / (1 - expected)
    return kappa, (max(-1.0, kappa - half), min(1.0, kappa + half))


def self_consistency(repeats: Sequence[Sequence[str | None]]) -> float:
    """Share of samples whose answers are the same in every repeat; samples with an unread answer are left out.

    Args:
        repeats: answers of each repeat [r, n]. NaN for less than two repeats.
    """
    samples = [answers for answers in zip(*repeats, strict=True) if None not in answers]
    if len(repeats) < 2 or not samples:
        return math.nan
    return sum(len(set(answers)) == 1 for answers in samples) / len(samples)
