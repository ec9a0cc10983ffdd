"""What an operation costs: declared where it is registered, and estimated for a request before anything is computed.

    @operation("score", "edit_similarity", ..., cost=Cost(square=0.001))

What may take over :data:`LIMIT_US` by its estimate is done in a worker process and not on the event loop. An estimate
therefore has to be right only in its order of magnitude, and rather too high than too low.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from .columns import Columns

LIMIT_US = 20_000.0
"""Microseconds that an operation may take on the event loop."""

_PLAIN = frozenset((int, float, bool, type(None)))


def _once(params: Any) -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one core, by what they grow with.

    A *unit* is a character of a text or a number of a list; fields that hold media are not counted.

    Attributes:
        row: per item.
        unit: per unit of all items together.
        square: per pair of units of one item: what compares everything in an item with everything.
        pairs: per unit and item: what compares every item of a request with all the others.
        times: a factor that the parameters give, for example a number of iterations.
        bounded: False where neither size nor parameters tell the cost: patterns and schemas that callers write.
    """

    row: float = 4.0
    unit: float = 0.02
    square: float = 0.0
    pairs: float = 0.0
    times: Callable[[Any], float] = _once
    bounded: bool = True

    def estimate_us(self, columns: Columns, params: Any) -> float:
        """Microseconds that an operation takes at most, roughly; counting stops where the limit is passed."""
        if not self.bounded:
            return float("inf")
        times = max(self.times(params), 0.0)
        room = LIMIT_US / times if times else float("inf")
        total = columns.size * self.row
        if self.square:
            for units in _count_rows(columns, room / self.unit):
                total += units * self.unit + units * units * self.square
                if total > room:
                    break
        else:
            each = self.unit + self.pairs * columns.size
            for _, column in columns.read_fields():
                total += each * count_column(column, room / each)
        return total * times

    def exceeds_limit(self, columns: Columns, params: Any, per_row: float = 0.0) -> bool:
        """Whether the operation belongs into a worker process, with ``per_row`` microseconds more for every item."""
        return self.estimate_us(columns, params) + per_row * columns.size > LIMIT_US


CHEAP = Cost()
"""Linear: a few calls of numpy, or of fast string functions, do all items."""

ROW_BY_ROW = Cost(row=60.0, unit=0.3)
"""Linear, item by item in Python, each item read, checked and described: an operation that declares nothing."""

UNBOUNDED = Cost(bounded=False)
"""A caller's pattern or schema decides."""


def count_column(column: Any, room: float) -> float:
    """The units of a column; stops counting beyond ``room``."""
    if isinstance(column, np.ndarray):
        return column.size
    if not isinstance(column, list):
        if isinstance(column, Mapping):
            return sum([count_column(values, room) for values in column.values()])
        if not isinstance(column, Sequence):
            return 1
    kinds = set(map(type, column))
    if kinds <= _PLAIN:
        return len(column)
    if kinds == {str}:
        return sum(map(len, column))
    return count_units(column, room)


def _count_rows(columns: Columns, room: float) -> Iterable[float]:
    fields = [column for _, column in columns.read_fields()]
    return (sum(_count_row(column, i, room) for column in fields) for i in range(columns.size))


def _count_row(column: Any, i: int, room: float) -> float:
    """The units of one item of a column: a list, an array, or a mapping of columns."""
    if isinstance(column, Mapping):
        return sum(_count_row(values, i, room) for values in column.values())
    return count_units(column[i], room) if isinstance(column, Sequence | np.ndarray) else 1


def count_units(value: Any, room: float) -> float:
    """Characters and numbers in a value, however nested; stops counting beyond ``room``."""
    waiting = [value]
    total = 0
    while waiting and total <= room:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            total += len(one)
        elif isinstance(one, np.ndarray):
            total += one.size
        elif isinstance(one, list | tuple):
            total += len(one) + 1
            if not set(map(type, one)) <= _PLAIN:
                waiting += one
        elif isinstance(one, Mapping):
            total += len(one) + 1
            waiting += one.values()
        elif isinstance(one, BaseModel):
            waiting += one.__dict__.values()
        else:
            total += 1
    return total
