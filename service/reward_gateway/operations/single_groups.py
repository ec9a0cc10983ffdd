"""Groups of one: an operation that compares the members of a group says where there was nothing to compare with."""

from collections import Counter
from typing import Any

from .columns import Columns
from .outcome import Outcome
from .registry import Operation, OperationParams

SINGLE = "single"
"""The detail of an answer: true for the only valid member of its group."""

_WHOLE = ("trajectories", "group")
"""Fields that hold all members of a group in one item."""


def mark_single(operation: Operation, columns: Columns, params: OperationParams, outcome: Outcome) -> None:
    """Say so in the details of every answer whose group has no other valid member."""
    if SINGLE in outcome.details or operation.find_comparison(params) != "group":
        return
    single = _find_single(columns, outcome)
    if any(single):
        outcome.details[SINGLE] = [True if alone else None for alone in single]


def _find_single(columns: Columns, outcome: Outcome) -> list[bool]:
    groups: list[Any] = list(columns.objects(next((name for name in _WHOLE if name in columns), "")))
    valid = [row not in outcome.invalid for row in range(columns.size)]
    if any(isinstance(group, list) for group in groups):
        return [fine and group is not None and len(group) == 1 for fine, group in zip(valid, groups, strict=True)]
    members = Counter(group for fine, group in zip(valid, groups, strict=True) if fine)
    return [fine and members[group] == 1 for fine, group in zip(valid, groups, strict=True)]
