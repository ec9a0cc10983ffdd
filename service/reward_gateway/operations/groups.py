"""Arithmetic over groups of rows: many prompts in one flat array, every group done in the same few numpy calls.

A row that has no value (NaN) is no member: it changes nobody's baseline and keeps its NaN. A group whose
members are all equal carries no signal and gives exactly 0, whatever rounding does to its mean.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reward_gateway.sample import BoolArray, FloatArray

Spread = Literal["population", "sample"]
"""Standard deviation with divisor n (population) or n - 1 (sample)."""

ROUNDING = 1e-12
"""Relative range (absolute below 1) within which numbers are equal: differences of rewards carry rounding."""

EPS = 1e-6
"""Added to standard deviations wherever nothing else is said; TRL adds 1e-4."""

Baseline = Literal["none", "mean", "rloo", "opo"]
"""What is subtracted from a reward: nothing, the mean of its group, that of the others, or one weighted by length."""

Scale = Literal["none", "group_std", "batch_std", "whiten"]
"""What the difference is divided by; see :func:`advantages`."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Which row belongs where: ``index`` [n] int in 0..count-1."""

    index: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, names: Sequence[Hashable]) -> "Groups":
        """Groups by equal names, numbered as they first appear."""
        numbers: dict[Hashable, int] = {}
        index = np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), dtype=np.intp, count=len(names))
        return cls(index, len(numbers))

    @classmethod
    def one(cls, size: int) -> "Groups":
        """All rows in one group: the whole request."""
        return cls(np.zeros(size, dtype=np.intp), 1)

    def ascending(self, values: FloatArray) -> list[NDArray[np.intp]]:
        """The rows of each group that has members with a value, the lowest first; equal ones as they came."""
        rows = np.flatnonzero(~np.isnan(values))
        if not len(rows):
            return []
        order = rows[np.lexsort((values[rows], self.index[rows]))]
        return np.split(order, np.flatnonzero(np.diff(self.index[order])) + 1)


def centre(values: FloatArray, groups: Groups) -> FloatArray:
    """r - mean of its group. [n] -> [n]."""
    deviations, _ = _group_deviations(values, groups)
    return deviations


def zscore(
    values: FloatArray,
    groups: Groups,
    *,
    eps: float = EPS,
    spread: Spread = "sample",
    magnitudes: FloatArray | None = None,
) -> FloatArray:
    """(r - mean) / (std + eps) of its group; a group of one, or of members equal up to rounding, gives 0. [n] -> [n].

    Args:
        magnitudes: [n] at least 0, of the numbers that each value is the sum of, which say how much of it is rounding;
            the values' own unless given.
    """
    deviations, sizes = _group_deviations(values, groups)
    if magnitudes is None:
        magnitudes = np.abs(values)
    return _divide(deviations, _true_spreads(deviations, sizes, groups, spread, magnitudes), groups, eps)


def rloo(values: FloatArray, groups: Groups) -> FloatArray:
    """r - mean of the others of its group (leave one out); alone, 0: there is no baseline. [n] -> [n].

    Equal to n / (n - 1) times the centred reward.
    """
    deviations, sizes = _group_deviations(values, groups)
    return deviations * (sizes / np.maximum(sizes - 1, 1))[groups.index]


def opo(values: FloatArray, groups: Groups, lengths: FloatArray) -> FloatArray:
    """r - b, where b is the mean of its group weighted by length: the baseline of least variance if gradients of tokens
    are independent (OPO, arXiv 2505.23585). [n] -> [n].

    Args:
        lengths: [n] at least 0; a group of which all are 0 has the plain mean.
    """
    deviations, _ = _group_deviations(values, groups)
    weights = np.where(np.isnan(values), np.nan, lengths)
    sums = _group_sums(weights, groups)
    shifts = _group_sums(weights * deviations, groups) / np.where(sums > 0, sums, 1.0)
    return deviations - shifts[groups.index]


def advantages(
    values: FloatArray,
    groups: Groups,
    baseline: Baseline,
    scale: Scale,
    *,
    eps: float = EPS,
    spread: Spread = "sample",
    lengths: FloatArray | None = None,
) -> FloatArray:
    """c = r - baseline, divided by a spread: one definition for what trainers call advantages. [n] -> [n].

    ``group_std``: c / (std of r in the group + eps). ``batch_std``: c / (std of r over the batch + eps), TRL's
    ``scale_rewards="batch"``. ``whiten``: (c - mean of c) / (std of c over the batch + eps): REINFORCE++ (arXiv
    2501.03262) without a baseline, and its form with one. GRPO is (mean, group_std), Dr. GRPO (arXiv 2503.20783)
    (mean, none), RLOO (rloo, none), OPO (opo, none). Where the spread is 0, so is the answer.

    Args:
        lengths: [n] for ``opo``.
    """
    match baseline:
        case "mean":
            centred = centre(values, groups)
        case "rloo":
            centred = rloo(values, groups)
        case "opo":
            centred = opo(values, groups, np.ones_like(values) if lengths is None else lengths)
        case _:
            centred = values
    match scale:
        case "group_std":
            return _divide(centred, _spreads(values, groups, spread), groups, eps)
        case "batch_std":
            batch = Groups.one(len(values))
            return _divide(centred, _spreads(values, batch, spread), batch, eps)
        case "whiten":
            return zscore(centred, Groups.one(len(values)), eps=eps, spread=spread, magnitudes=np.abs(values))
        case _:
            return centred


@dataclass(frozen=True, slots=True)
class GroupColumns:
    """What groups are like, [groups] each; NaN where a group has too few members to say.

    Attributes:
        sizes: members with a value.
        std: with divisor n - 1; NaN of one member.
        equal: all members are the same; a group without any has none that differ.
        accuracy: share of members above 0.5.
    """

    sizes: FloatArray
    mean: FloatArray
    std: FloatArray
    equal: BoolArray
    accuracy: FloatArray


def measure(values: FloatArray, groups: Groups) -> GroupColumns:
    """What each group is like. [n] -> [groups]."""
    deviations, sizes = _group_deviations(values, groups)
    spreads = _group_spreads(deviations, sizes, groups, "sample")
    known = np.where(sizes > 0, sizes, np.nan)
    # Of equal members the mean is each of them, whatever rounding makes of their sum.
    equal = spreads == 0
    firsts = np.full(groups.count, np.nan)
    present = ~np.isnan(values)
    firsts[groups.index[present]] = values[present]
    means = np.where(equal, firsts, _group_sums(values, groups) / known)
    right = _group_sums(present & (np.nan_to_num(values) > 0.5), groups)
    return GroupColumns(sizes, means, np.where(sizes > 1, spreads, np.nan), equal, right / known)


def rank(values: FloatArray, groups: Groups) -> FloatArray:
    """Place in its group, from 0 (lowest) to 1 (highest), ties averaged; alone, 0.5. [n] -> [n]."""
    rows = np.flatnonzero(~np.isnan(values))
    ranks = np.full(len(values), np.nan)
    if not len(rows):
        return ranks
    order = rows[np.lexsort((values[rows], groups.index[rows]))]
    member, value = groups.index[order], values[order]
    starts = np.r_[True, (member[1:] != member[:-1]) | (value[1:] != value[:-1])]
    first = np.flatnonzero(starts)
    last = np.r_[first[1:], len(order)] - 1
    tied = np.cumsum(starts) - 1
    sizes = np.bincount(member, minlength=groups.count)
    offsets = np.cumsum(sizes) - sizes
    places = (0.5 * (first + last))[tied] - offsets[member]
    ranks[order] = np.where(sizes[member] > 1, places / np.maximum(sizes[member] - 1, 1), 0.5)
    return ranks


def minmax(values: FloatArray, groups: Groups) -> FloatArray:
    """(r - min) / (max - min) of its group; 0 where all are equal. [n] -> [n] in [0, 1]."""
    sizes = _group_sums(~np.isnan(values), groups)
    low = -_group_largest(-values, groups, sizes)
    span = _group_largest(values, groups, sizes) - low
    return (values - low[groups.index]) / np.where(span > 0, span, 1.0)[groups.index]


def gdpo(
    table: Mapping[str, FloatArray],
    weights: Mapping[str, float],
    groups: Groups,
    *,
    eps: float = 0.0,
    spread: Spread = "sample",
    batch: bool = True,
) -> FloatArray:
    """Each component z-scored within its group, then weighted and summed, then z-scored over the batch.

    A = sum over k of w_k * zscore_group(r_k);  A' = (A - mean over all rows) / (std over all rows + eps).
    Normalising before the sum keeps a component of small scale from being drowned by one of large scale
    (GDPO, arXiv 2601.05242). Members equal up to rounding give 0, and so do sums over the batch: components that
    cancel each other leave no advantage of rounding. A row that lacks a component gives NaN.

    Args:
        table: component -> [n].
        weights: component -> weight; one that is not named weighs 1.
        eps: added to each standard deviation: 0 as the paper writes it; its released code adds 1e-4.
        batch: the last step, which keeps the scale from growing with the number of components.
    """
    total, magnitudes = np.zeros(len(groups.index)), np.zeros(len(groups.index))
    for name, values in table.items():
        term = weights.get(name, 1.0) * zscore(values, groups, eps=eps, spread=spread)
        total, magnitudes = total + term, magnitudes + np.abs(term)
    if not batch:
        return total
    return zscore(total, Groups.one(len(total)), eps=eps, spread=spread, magnitudes=magnitudes)


def _spreads(values: FloatArray, groups: Groups, spread: Spread) -> FloatArray:
    """[groups] standard deviations; exactly 0 where all members are equal up to rounding."""
    deviations, sizes = _group_deviations(values, groups)
    return _true_spreads(deviations, sizes, groups, spread, np.abs(values))


def _true_spreads(
    deviations: FloatArray, sizes: FloatArray, groups: Groups, spread: Spread, magnitudes: FloatArray
) -> FloatArray:
    """[groups] standard deviations; 0 where deviations are no more than the rounding of numbers of these magnitudes."""
    ranges = _group_largest(deviations, groups, sizes) + _group_largest(-deviations, groups, sizes)
    rounding = ROUNDING * np.maximum(_group_largest(magnitudes, groups, sizes), 1.0)
    return np.where(ranges <= rounding, 0.0, _group_spreads(deviations, sizes, groups, spread))


def _group_spreads(deviations: FloatArray, sizes: FloatArray, groups: Groups, spread: Spread) -> FloatArray:
    """[groups] standard deviations of the deviations from each mean."""
    # Scaled by the largest deviation, so that squares neither overflow nor vanish.
    scales = _group_largest(np.abs(deviations), groups, sizes)
    safe = np.where(scales > 0, scales, 1.0)
    squares = _group_sums((deviations / safe[groups.index]) ** 2, groups)
    divisors = np.maximum(sizes - (spread == "sample"), 1)
    return scales * np.sqrt(squares / divisors)


def _divide(centred: FloatArray, spreads: FloatArray, groups: Groups, eps: float) -> FloatArray:
    """Each row over the spread of its group and eps; 0 where the spread is 0, NaN stays NaN."""
    divisors = np.where(spreads > 0, spreads + eps, np.inf)
    return centred / divisors[groups.index]


def _group_sums(values: FloatArray | BoolArray, groups: Groups) -> FloatArray:
    """[groups] sums, in which a missing value counts nothing."""
    weights = np.nan_to_num(values.astype(np.float64, copy=False), nan=0.0)
    return np.bincount(groups.index, weights=weights, minlength=groups.count).astype(np.float64, copy=False)


def _group_largest(values: FloatArray, groups: Groups, sizes: FloatArray) -> FloatArray:
    """[groups] the largest member of each; 0 for a group without members."""
    largest = np.full(groups.count, -np.inf)
    present = ~np.isnan(values)
    np.maximum.at(largest, groups.index[present], values[present])
    return np.where(sizes > 0, largest, 0.0)


def _group_deviations(values: FloatArray, groups: Groups) -> tuple[FloatArray, FloatArray]:
    """[n] deviations from the group's mean and [groups] sizes.

    Each group is first shifted by one of its members: equal members then deviate by exactly 0, and
    a large common offset costs no digits.
    """
    present = ~np.isnan(values)
    sizes = _group_sums(present, groups)
    anchors = np.zeros(groups.count)
    anchors[groups.index[present]] = values[present]
    shifted = values - anchors[groups.index]
    means = _group_sums(shifted, groups) / np.maximum(sizes, 1)
    return shifted - means[groups.index], sizes
