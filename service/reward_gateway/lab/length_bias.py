"""Length bias: accuracy by the difference of the lengths, and the slope of the margin on it."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from reward_gateway.sample import FloatArray
from reward_gateway.telemetry.statistics import find_scale

from .accuracy import measure_accuracy
from .intervals import Interval, bootstrap_interval, sum_by_prompt
from .numbers import finite
from .pair_margins import Margins
from .report import Estimate, Fifth, LengthBias

WORDS = 100.0
"""The slope is per so many words."""

_FIFTHS = 5


def measure_length_bias(pairs: Margins) -> LengthBias:
    """Accuracy of fifths of the pairs by length difference (words of the chosen response less those of the rejected
    one; equal differences stay together), and the least-squares slope of the margin per 100 words.

    The interval of the slope is Student's where each prompt gives one pair, else a bootstrap over prompts.
    """
    slope = fit_slope(pairs.words, pairs.margins, pairs.prompts)
    return LengthBias(len(pairs.margins), _measure_fifths(pairs), slope)


def _measure_fifths(pairs: Margins) -> list[Fifth]:
    if not len(pairs.words):
        return []
    edges = np.quantile(pairs.words, np.arange(1, _FIFTHS) / _FIFTHS)
    place = np.searchsorted(edges, pairs.words, side="left")
    fifths = []
    for k in range(_FIFTHS):
        inside = np.flatnonzero(place == k)
        if len(inside):
            words, outcomes = pairs.words[inside], pairs.outcomes[inside]
            prompts = [pairs.prompts[i] for i in inside.tolist()]
            accuracy = measure_accuracy(outcomes, outcomes == 0.5, prompts)
            fifths.append(Fifth(float(words.min()), float(words.max()), float(words.mean()), accuracy))
    return fifths


def fit_slope(words: FloatArray, values: FloatArray, prompts: Sequence[str]) -> Estimate:
    """The least-squares slope of values on words, per 100 of them; None for fewer than three, or equal lengths.

    Its interval is Student's where each prompt gives one value, else a bootstrap over prompts.
    """
    scale = find_scale(values)
    x, y = words / WORDS, values / scale
    if len(x) < 3 or np.ptp(x) == 0:
        return Estimate(None, None, None)
    sums = np.column_stack([np.ones(len(x)), x, y, x * x, x * y])
    slope = float(_slope(sums.sum(axis=0, keepdims=True))[0])
    if len(set(prompts)) == len(x):
        low, high = _student_interval(x, y, slope)
    else:
        low, high = bootstrap_interval(sum_by_prompt(sums, prompts), _slope)
    return Estimate(*(finite(end * scale) for end in (slope, low, high)))


def _slope(sums: FloatArray) -> FloatArray:
    """[draws, 5] -> [draws]: sums of 1, x, y, x² and xy."""
    n, x, y, xx, xy = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = n * xx - x * x
        return np.where(spread > 1e-9 * n * xx, (n * xy - x * y) / spread, math.nan)


def _student_interval(x: FloatArray, y: FloatArray, slope: float) -> Interval:
    """slope ± t · sqrt(residual variance / Σ(x − mean)²), with n − 2 degrees of freedom."""
    free = len(x) - 2
    around = x - x.mean()
    residuals = y - y.mean() - slope * around
    half = float(stdtrit(free, 0.975)) * math.sqrt(float(residuals @ residuals) / free / float(around @ around))
    return slope - half, slope + half
