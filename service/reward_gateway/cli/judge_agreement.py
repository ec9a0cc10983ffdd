"""How far a judge agrees with labels, and with itself. Pure arithmetic."""

import math
from collections.abc import Sequence


def accuracy(labels: Sequence[str], answers: Sequence[str]) -> float:
    """Share of answers that equal their labels; NaN without any."""
    equal = sum(label == answer for label, answer in zip(labels, answers, strict=True))
    return equal / len(labels) if labels else math.nan


def self_consistency(repeats: Sequence[Sequence[str | None]]) -> float:
    """Share of samples whose answers are the same in every repeat; samples with an unread answer are left out.

    Args:
        repeats: answers of each repeat [r, n]. NaN for less than two repeats.
    """
    samples = [answers for answers in zip(*repeats, strict=True) if None not in answers]
    if len(repeats) < 2 or not samples:
        return math.nan
    return sum(len(set(answers)) == 1 for answers in samples) / len(samples)
