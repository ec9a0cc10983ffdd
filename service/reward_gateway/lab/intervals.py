"""95 % intervals: of a share (Wilson), and of whatever is a function of sums over prompts (percentile bootstrap)."""

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from reward_gateway.sample import FloatArray

Z95 = 1.959963984540054
"""Half-width of a 95 % interval in standard errors."""

RESAMPLES = 2000
SEED = 0

Interval = tuple[float, float]


def wilson_interval(share: float, size: int) -> Interval:
    """95 % interval of a share of independent observations (Wilson 1927); (NaN, NaN) for none.

    With s = z²/n: ((p + s/2) ± z·sqrt(p (1 − p)/n + s/(4n))) / (1 + s).
    """
    if not size:
        return math.nan, math.nan
    spread = Z95**2 / size
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / size + spread / (4 * size)) / (1 + spread)
    # At 0 and 1 an end is the share itself, which rounding misses by 1e-18.
    return (middle - half if share > 0 else 0.0), (middle + half if share < 1 else 1.0)


def sum_by_prompt(values: FloatArray, prompts: Sequence[Hashable]) -> FloatArray:
    """Sums over the rows of each prompt, prompts in the order of their first row.

    Args:
        values: [n, k].
        prompts: [n] what names the prompt of each row.

    Returns:
        [prompts, k].
    """
    number: dict[Hashable, int] = {}
    place = np.array([number.setdefault(prompt, len(number)) for prompt in prompts], dtype=np.intp)
    sums = np.zeros((len(number), values.shape[1]))
    np.add.at(sums, place, values)
    return sums


def bootstrap_interval(sums: FloatArray, statistic: Callable[[FloatArray], FloatArray]) -> Interval:
    """95 % percentile interval over prompts drawn with replacement (2,000 times, seed 0).

    Draws where the statistic is no number (NaN: nothing to divide by) are left out; (NaN, NaN) if all are, and for no
    prompts.

    Args:
        sums: [prompts, k], see :func:`sum_by_prompt`.
        statistic: of the sums over the drawn prompts [draws, k] -> [draws].
    """
    size = len(sums)
    if not size:
        return math.nan, math.nan
    random = np.random.default_rng(SEED)
    drawn = np.empty((RESAMPLES, sums.shape[1]))
    for i in range(RESAMPLES):  # one draw at a time: all at once would be 2,000 numbers per prompt
        drawn[i] = np.bincount(random.integers(size, size=size), minlength=size) @ sums
    with np.errstate(divide="ignore", invalid="ignore"):
        found = statistic(drawn)
    found = found[~np.isnan(found)]
    if not len(found):
        return math.nan, math.nan
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def share_interval(values: FloatArray, prompts: Sequence[Hashable]) -> Interval:
    """95 % interval of the mean of values in [0, 1]: Wilson where each prompt gives one, else bootstrap over prompts.

    Args:
        values: [n], each between 0 and 1.
        prompts: [n] what names the prompt of each value.
    """
    if len(set(prompts)) == len(values):
        return wilson_interval(float(values.mean()) if len(values) else math.nan, len(values))
    sums = sum_by_prompt(np.column_stack([values, np.ones(len(values))]), prompts)
    return bootstrap_interval(sums, lambda drawn: np.asarray(drawn[:, 0] / drawn[:, 1]))
