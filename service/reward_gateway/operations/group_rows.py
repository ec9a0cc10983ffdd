"""The rows of groups that have a value, and their sums, extremes and spreads: every group in the same numpy calls."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reward_gateway.sample import BoolArray, FloatArray

Spread = Literal["population", "sample"]
"""Standard deviation with divisor n (population) or n - 1 (sample)."""

ROUNDING = 1e-12
"""Relative range (absolute below 1) within which numbers are equal: differences of rewards carry rounding."""


@dataclass(frozen=True, slots=True)
class Members:
    """Rows of groups, those of each group behind each other, so that one call of numpy serves every group.

    Attributes:
        size: n, the rows there are with those that are no members.
        rows: [m] which rows they are; None where they are all, and their groups come whole, as trainers send them.
        numbers: [g] the groups that have members.
        starts: [g] where each begins among the members.
        sizes: [g] int, how many each has.
    """

    size: int
    rows: NDArray[np.intp] | None
    numbers: NDArray[np.intp]
    starts: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @classmethod
    def of(cls, index: NDArray[np.intp], rows: NDArray[np.intp] | None) -> "Members":
        """The members among the rows of groups ``index`` [n]: ``rows`` [m], or all."""
        own = index if rows is None else index[rows]
        if not (own[1:] >= own[:-1]).all():
            order = np.argsort(own, kind="stable")
            rows, own = order if rows is None else rows[order], own[order]
        starts = np.flatnonzero(np.append(True, own[1:] != own[:-1])[: len(own)])
        return cls(len(index), rows, own[starts], starts, np.diff(starts, append=len(own)))

    def take(self, values: FloatArray) -> FloatArray:
        """[n] -> [m]."""
        return values if self.rows is None else values[self.rows]

    def put(self, values: FloatArray) -> FloatArray:
        """[m] -> [n], NaN where there is no member."""
        if self.rows is None:
            return values
        found = np.full(self.size, np.nan)
        found[self.rows] = values
        return found

    def sum(self, values: FloatArray | BoolArray) -> FloatArray:
        """[m] -> [g]."""
        return np.add.reduceat(values, self.starts, dtype=np.float64)

    def max(self, values: FloatArray) -> FloatArray:
        """[m] -> [g]."""
        return np.maximum.reduceat(values, self.starts)

    def min(self, values: FloatArray) -> FloatArray:
        """[m] -> [g]."""
        return np.minimum.reduceat(values, self.starts)

    def spread(self, values: FloatArray) -> FloatArray:
        """[g] -> [m], or [1] where there is one group: what broadcasts over the members."""
        return values if len(values) == 1 else np.repeat(values, self.sizes)

    def deviations(self, values: FloatArray) -> FloatArray:
        """[m] deviations from the mean of the group.

        Each group is first shifted by one of its members: equal members then deviate by exactly 0, and
        a large common offset costs no digits.
        """
        shifted = values - self.spread(values[self.starts])
        return shifted - self.spread(self.sum(shifted) / self.sizes)

    def std(self, deviations: FloatArray, magnitudes: FloatArray | None, spread: Spread) -> FloatArray:
        """[g] standard deviations; exactly 0 where the members are equal up to rounding.

        Args:
            deviations: [m] from the mean of the group.
            magnitudes: [m] at least 0, of the numbers that each value is the sum of, which say how much is rounding.
                None: nothing is; members are equal or not.
        """
        highest, lowest = self.max(deviations), self.min(deviations)
        # Scaled by the largest deviation, so that squares neither overflow nor vanish.
        scales = np.maximum(highest, -lowest)
        scaled = deviations / self.spread(np.where(scales > 0, scales, 1.0))
        divisors = np.maximum(self.sizes - (spread == "sample"), 1)
        found = scales * np.sqrt(self.sum(scaled * scaled) / divisors)
        if magnitudes is None:
            return found
        ranges = highest - lowest
        if (ranges <= ROUNDING * max(magnitudes.max(initial=0.0), 1.0)).any():  # else no group is that close together
            found[ranges <= ROUNDING * np.maximum(self.max(magnitudes), 1.0)] = 0.0
        return found

    def divide(self, centred: FloatArray, std: FloatArray, eps: float) -> FloatArray:
        """[m] each over the standard deviation [g] of its group and eps; 0 where that is 0."""
        return centred / self.spread(np.where(std > 0, std + eps, np.inf))
