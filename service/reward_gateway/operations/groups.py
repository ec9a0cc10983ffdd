"""Arithmetic over groups of rows: many prompts in one flat array, every group done in the same few numpy calls.

A row that has no value (NaN) is no member: it changes nobody's baseline and keeps its NaN. A group whose
members are all equal carries no signal and gives exactly 0, whatever rounding does to its mean.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reward_gateway.sample import BoolArray, FloatArray

from .group_rows import Members, Spread

EPS = 1e-6
"""Added to standard deviations wherever nothing else is said; TRL adds 1e-4."""

Baseline = Literal["none", "mean", "rloo", "opo"]
"""What is subtracted from a reward: nothing, the mean of its group, that of the others, or one weighted by length."""

Scale = Literal["none", "group_std", "batch_std", "whiten"]
"""What the difference is divided by; see :func:`advantages`."""


@dataclass(frozen=True)
class Groups:
    """Which row belongs where: ``index`` [n] int in 0..count-1."""

    index: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, names: Sequence[Hashable]) -> "Groups":
        """Groups by equal names, numbered as they first appear."""
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return cls(np.fromiter(map(numbers.__getitem__, names), dtype=np.intp, count=len(names)), len(numbers))

    @classmethod
    def one(cls, size: int) -> "Groups":
        """All rows in one group: the whole request."""
        return cls(np.zeros(size, dtype=np.intp), 1)

    def members(self, values: FloatArray) -> "Members":
        """The rows of [n] that have a value."""
        absent = np.isnan(values)
        return Members.of(self.index, np.flatnonzero(~absent)) if absent.any() else self._everyone

    def ascending(self, values: FloatArray) -> list[NDArray[np.intp]]:
        """The rows of each group that has members with a value, the lowest first; equal ones as they came."""
        rows = np.flatnonzero(~np.isnan(values))
        if not len(rows):
            return []
        order = rows[np.lexsort((values[rows], self.index[rows]))]
        return np.split(order, np.flatnonzero(np.diff(self.index[order])) + 1)

    @cached_property
    def _everyone(self) -> "Members":
        return Members.of(self.index, None)


def centre(values: FloatArray, groups: Groups) -> FloatArray:
    """r - mean of its group. [n] -> [n]."""
    members = groups.members(values)
    return members.put(members.deviations(members.take(values)))


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
    members = groups.members(values)
    deviations = members.deviations(members.take(values))
    rounded = members.take(np.abs(values if magnitudes is None else magnitudes))
    return members.put(members.divide(deviations, members.std(deviations, rounded, spread), eps))


def rloo(values: FloatArray, groups: Groups) -> FloatArray:
    """r - mean of the others of its group (leave one out); alone, 0: there is no baseline. [n] -> [n].

    Equal to n / (n - 1) times the centred reward.
    """
    members = groups.members(values)
    return members.put(_leave_one_out(members, members.deviations(members.take(values))))


def opo(values: FloatArray, groups: Groups, lengths: FloatArray) -> FloatArray:
    """r - b, where b is the mean of its group weighted by length: the baseline of least variance if gradients of tokens
    are independent (OPO, arXiv 2505.23585). [n] -> [n].

    Args:
        lengths: [n] at least 0; a group of which all are 0 has the plain mean.
    """
    members = groups.members(values)
    return members.put(_weigh_by_length(members, members.deviations(members.take(values)), members.take(lengths)))


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
    members = groups.members(values)
    own = members.take(values)
    deviations = members.deviations(own)
    match baseline:
        case "mean":
            centred = deviations
        case "rloo":
            centred = _leave_one_out(members, deviations)
        case "opo":
            weights = np.ones_like(own) if lengths is None else members.take(lengths)
            centred = _weigh_by_length(members, deviations, weights)
        case _:
            centred = own
    magnitudes, batch = np.abs(own), Groups.one(len(own)).members(own)
    match scale:
        case "group_std":
            centred = members.divide(centred, members.std(deviations, magnitudes, spread), eps)
        case "batch_std":
            centred = batch.divide(centred, batch.std(batch.deviations(own), magnitudes, spread), eps)
        case "whiten":
            from_mean = batch.deviations(centred)
            centred = batch.divide(from_mean, batch.std(from_mean, magnitudes, spread), eps)
        case _:
            pass
    return members.put(centred)


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
    members = groups.members(values)
    own = members.take(values)
    std = members.std(members.deviations(own), None, "sample")
    # Of equal members the mean is each of them, whatever rounding makes of their sum.
    equal = std == 0
    mean = np.where(equal, own[members.starts], members.sum(own) / members.sizes)
    sizes, found_equal = np.zeros(groups.count), np.ones(groups.count, dtype=bool)
    sizes[members.numbers], found_equal[members.numbers] = members.sizes, equal
    means, spreads, accuracies = (np.full(groups.count, np.nan) for _ in range(3))
    means[members.numbers] = mean
    spreads[members.numbers] = np.where(members.sizes > 1, std, np.nan)
    accuracies[members.numbers] = members.sum(own > 0.5) / members.sizes
    return GroupColumns(sizes, means, spreads, found_equal, accuracies)


def rank(values: FloatArray, groups: Groups) -> FloatArray:
    """Place in its group, from 0 (lowest) to 1 (highest), ties averaged; alone, 0.5. [n] -> [n]."""
    members = groups.members(values)
    own = members.take(values)
    group = np.repeat(np.arange(len(members.sizes)), members.sizes)
    order = np.lexsort((own, group))  # moves no member out of its group
    value = own[order]
    begins = np.append(True, (group[1:] != group[:-1]) | (value[1:] != value[:-1]))[: len(value)]
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(value)) - 1
    tied = np.cumsum(begins) - 1
    places = (0.5 * (first + last))[tied] - members.starts[group]
    ranks = np.empty(len(own))
    ranks[order] = np.where(members.sizes[group] > 1, places / np.maximum(members.sizes[group] - 1, 1), 0.5)
    return members.put(ranks)


def minmax(values: FloatArray, groups: Groups) -> FloatArray:
    """(r - min) / (max - min) of its group; 0 where all are equal. [n] -> [n] in [0, 1]."""
    members = groups.members(values)
    own = members.take(values)
    low = members.min(own)
    span = members.max(own) - low
    return members.put((own - members.spread(low)) / members.spread(np.where(span > 0, span, 1.0)))


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


def _leave_one_out(members: Members, deviations: FloatArray) -> FloatArray:
    """[m] from the mean of the group -> [m] from that of its other members."""
    return deviations * members.spread(members.sizes / np.maximum(members.sizes - 1, 1))


def _weigh_by_length(members: Members, deviations: FloatArray, lengths: FloatArray) -> FloatArray:
    """[m] from the mean of the group -> [m] from its mean weighted by length."""
    sums = members.sum(lengths)
    return deviations - members.spread(members.sum(lengths * deviations) / np.where(sums > 0, sums, 1.0))
