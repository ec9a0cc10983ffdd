"""Where groups of rows lie and how wide they are, so that a few wild rewards do not decide it."""

from dataclasses import dataclass

import numpy as np

from reward_gateway.sample import FloatArray

from .group_rows import ROUNDING
from .groups import EPS, Groups

NORMAL_MAD, NORMAL_MEAN_DEVIATION = 1.482602218505602, 1.2533141373155003
"""What makes the median, and the mean, absolute deviation of normal numbers their standard deviation."""


@dataclass(frozen=True, slots=True)
class RobustColumns:
    """What the group of each row is like, [n] each; NaN of rows without a value.

    Attributes:
        sizes: members with a value.
        spread: 1.4826 times the median absolute deviation, or 1.2533 times the mean one where half are equal; 0 where
            all are, infinite where it is above the largest number.
    """

    sizes: FloatArray
    median: FloatArray
    spread: FloatArray


def robust_zscore(values: FloatArray, groups: Groups, *, eps: float = EPS) -> tuple[FloatArray, RobustColumns]:
    """(r - median) / (spread + eps) of its group; 0 where the spread is 0. [n] -> [n], and what the groups are like."""
    scores, sizes, medians, spreads = (np.full(len(values), np.nan) for _ in range(4))
    for rows in groups.ascending(values):
        own = 0.25 * values[rows]  # so that not even the largest numbers overflow in their differences
        median = float(np.median(own))
        shifted = own - median
        deviations = np.abs(shifted)
        rounding = ROUNDING * max(0.25, abs(median))
        spread = NORMAL_MAD * float(np.median(deviations))
        if spread <= rounding:
            spread = NORMAL_MEAN_DEVIATION * float(deviations.mean()) if deviations.max() > rounding else 0.0
        scores[rows] = shifted / (spread + 0.25 * eps) if spread > 0 else 0.0
        sizes[rows], medians[rows], spreads[rows] = len(rows), median, spread
    with np.errstate(over="ignore"):
        return scores, RobustColumns(sizes, 4.0 * medians, 4.0 * spreads)
