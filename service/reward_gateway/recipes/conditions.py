"""Conditions under which a component is computed, decided row by row.

A condition says which rows pass. In the answer, a row that does not pass has the name of what decided: a component, the
group, the share (``sample``), or a key of the sample.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from reward_gateway.sample import FloatArray

from .sample_keys import are_equal

GROUP, SAMPLE = "group", "sample"


class Known(Protocol):
    """What is known of the rows when conditions are decided.

    Attributes:
        members: the valid rows, which groups are made of.
        groups: [n] the group of every row.
    """

    @property
    def members(self) -> Sequence[int]: ...

    @property
    def groups(self) -> Sequence[str]: ...

    def value_of(self, component: str) -> FloatArray:
        """[n] the values of a component after its transforms; NaN in the rows of an optional one without it."""

    def flags_of(self, component: str) -> Mapping[int, tuple[str, ...]]:
        """The flags that a component's scorer raised."""

    def read_key(self, row: int, key: str) -> Any:
        """What the sample has under a key; None: nothing."""

    def share_of(self, row: int, *, by_group: bool) -> float:
        """The fixed number in [0, 1) of a sample, or of its group, for the component whose conditions these are."""


class Condition(Protocol):
    """One condition.

    Attributes:
        reads: components that have to be computed before.
        keys: keys of the sample that it reads.
        of_groups: all members of a group pass, or none does.
        reads_groups: it depends on other samples.
    """

    @property
    def reads(self) -> frozenset[str]: ...
    @property
    def keys(self) -> tuple[str, ...]: ...
    @property
    def of_groups(self) -> bool: ...
    @property
    def reads_groups(self) -> bool: ...

    def find_passing(self, known: Known, rows: Sequence[int]) -> set[int]:
        """Those of the rows that pass."""

    def name_decider(self, known: Known, row: int) -> str:
        """What decided that a row does not pass."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What has to hold of a number; what is not given holds. NaN holds to nothing."""

    at_least: float | None = None
    above: float | None = None
    below: float | None = None
    equals: float | None = None

    def hold(self, value: float) -> bool:
        """Whether all hold of the number."""
        return not (
            math.isnan(value)
            or (self.at_least is not None and value < self.at_least)
            or (self.above is not None and value <= self.above)
            or (self.below is not None and value >= self.below)
            or (self.equals is not None and value != self.equals)
        )

    @property
    def given(self) -> bool:
        """Whether anything has to hold."""
        return any(bound is not None for bound in (self.at_least, self.above, self.below, self.equals))


@dataclass(frozen=True, slots=True)
class OfComponent:
    """Of a component's value after its transforms, of a flag that its scorer raised, or of whether it has a value."""

    component: str
    bounds: Bounds
    flag: str | None = None
    valid: bool | None = None
    keys: tuple[str, ...] = ()
    of_groups: bool = False
    reads_groups: bool = False

    @property
    def reads(self) -> frozenset[str]:
        return frozenset((self.component,))

    def find_passing(self, known: Known, rows: Sequence[int]) -> set[int]:
        values, flags = known.value_of(self.component).tolist(), known.flags_of(self.component)
        return {
            i
            for i in rows
            if (not self.bounds.given or self.bounds.hold(values[i]))
            and (self.flag is None or self.flag in flags.get(i, ()))
            and (self.valid is None or self.valid is not math.isnan(values[i]))
        }

    def name_decider(self, _known: Known, _row: int) -> str:
        return self.component


@dataclass(frozen=True, slots=True)
class OfGroup:
    """Of the spread (largest minus smallest) or the mean of a component within the group, over its valid members."""

    component: str
    bounds: Bounds
    mean: bool
    keys: tuple[str, ...] = ()
    of_groups: bool = True
    reads_groups: bool = True

    @property
    def reads(self) -> frozenset[str]:
        return frozenset((self.component,))

    def find_passing(self, known: Known, rows: Sequence[int]) -> set[int]:
        values = known.value_of(self.component).tolist()
        members: dict[str, list[float]] = {}
        for i in known.members:
            if not math.isnan(values[i]):
                members.setdefault(known.groups[i], []).append(values[i])
        passing = {group for group, numbers in members.items() if self.bounds.hold(self._measure(numbers))}
        return {i for i in rows if known.groups[i] in passing}

    def _measure(self, numbers: Sequence[float]) -> float:
        return float(np.mean(numbers)) if self.mean else max(numbers) - min(numbers)

    def name_decider(self, _known: Known, _row: int) -> str:
        return GROUP


@dataclass(frozen=True, slots=True)
class OfKey:
    """Of a key that the sample carries, or of its value."""

    key: str
    equals: Any = None
    reads: frozenset[str] = frozenset()
    of_groups: bool = False
    reads_groups: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key,)

    def find_passing(self, known: Known, rows: Sequence[int]) -> set[int]:
        found = ((i, known.read_key(i, self.key)) for i in rows)
        return {i for i, value in found if value is not None and (self.equals is None or are_equal(value, self.equals))}

    def name_decider(self, _known: Known, _row: int) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class OfShare:
    """A fixed share of the samples, or of the groups with all their samples."""

    share: float
    of_groups: bool
    reads: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    reads_groups: bool = False

    def find_passing(self, known: Known, rows: Sequence[int]) -> set[int]:
        return {i for i in rows if known.share_of(i, by_group=self.of_groups) < self.share}

    def name_decider(self, _known: Known, _row: int) -> str:
        return SAMPLE


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of several alternatives, each of them conditions that all have to pass."""

    alternatives: tuple[tuple[Condition, ...], ...]
    reads: frozenset[str] = field(init=False)
    keys: tuple[str, ...] = field(init=False)
    of_groups: bool = field(init=False)
    reads_groups: bool = field(init=False)

    def __post_init__(self) -> None:
        every = [condition for alternative in self.alternatives for condition in alternative]
        object.__setattr__(self, "reads", frozenset[str]().union(*(condition.reads for condition in every)))
        object.__setattr__(self, "keys", tuple(key for condition in every for key in condition.keys))
        object.__setattr__(self, "of_groups", all(condition.of_groups for condition in every))
        object.__setattr__(self, "reads_groups", any(condition.reads_groups for condition in every))

    def find_passing(self, known: Known, rows: Sequence[int]) -> set[int]:
        passing: set[int] = set()
        for alternative in self.alternatives:
            passing |= rows_passing(alternative, known, [i for i in rows if i not in passing])
        return passing

    def name_decider(self, known: Known, row: int) -> str:
        """What decided in the first alternative."""
        return find_skipped(self.alternatives[0], known, [row])[row]


def rows_passing(conditions: Iterable[Condition], known: Known, rows: Sequence[int]) -> set[int]:
    """Those of the rows that pass all conditions."""
    passing = set(rows)
    for condition in conditions:
        passing &= condition.find_passing(known, [i for i in rows if i in passing])
    return passing


def find_skipped(conditions: Iterable[Condition], known: Known, rows: Sequence[int]) -> dict[int, str]:
    """Those of the rows that do not pass all conditions, each with what decided: the first that it does not pass."""
    skipped: dict[int, str] = {}
    for condition in conditions:
        asked = [i for i in rows if i not in skipped]
        passing = condition.find_passing(known, asked)
        skipped.update((i, condition.name_decider(known, i)) for i in asked if i not in passing)
    return skipped


def has_share_of_samples(condition: Condition) -> bool:
    """Whether a condition chooses samples of a group apart from each other by their share."""
    if isinstance(condition, AnyOf):
        return any(has_share_of_samples(one) for alternative in condition.alternatives for one in alternative)
    return isinstance(condition, OfShare) and not condition.of_groups
