"""The latest rows of one recipe as columns, and the reference rows that they are compared with.

A row is a sample; a column is one of its numbers (its reward, the value of a component, a flag). All columns
share one ring buffer, so that any two of them can be compared row by row. The first rows that fill the window are
kept as its reference until a reset.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from reward_gateway.sample import FloatArray

Stage = Literal["reward", "value", "raw", "audit", "length", "flag", "invalid"]


class Column(NamedTuple):
    """Identifies a column: the stage, and the name of the component, guard or code.

    ``raw`` and ``value`` are a component before and after its transforms, and ``audit`` is the value again where the
    component is one that is compared with the reward; ``flag`` and ``invalid`` are 0 or 1.
    """

    stage: Stage
    name: str = ""


REWARD, LENGTH = Column("reward"), Column("length")
Columns = Mapping[Column, FloatArray]


class Window:
    """A ring buffer of the latest ``size`` rows, and the reference.

    Attributes:
        seen: rows since the start or the last reset.
        reference: the columns of the first ``size`` rows since then; None until there are that many.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self.reference: dict[Column, FloatArray] | None = None
        self._filled = 0
        self._end = 0
        self._ring: dict[Column, FloatArray] = {}

    @property
    def since_reference(self) -> int:
        """Number of rows since the reference was full."""
        return max(0, self.seen - self.size)

    def append(self, columns: Columns, rows: int) -> None:
        """Add rows, oldest first; missing columns are filled with NaN, or 0 for flags and codes."""
        start = 0
        while start < rows:
            room = self.size if self.reference is not None else self.size - self.seen
            stop = min(rows, start + room)
            self._write_rows({column: values[start:stop] for column, values in columns.items()}, stop - start)
            start = stop

    def latest_rows(self, rows: int | None = None) -> dict[Column, FloatArray]:
        """A copy of the latest rows, oldest first."""
        count = self._filled if rows is None else min(rows, self._filled)
        places = np.arange(self._end - count, self._end) % self.size
        return {column: values[places] for column, values in self._ring.items()}

    def reset(self) -> None:
        """Start a new reference from the next rows."""
        self.seen, self.reference = 0, None

    def _write_rows(self, columns: Columns, rows: int) -> None:
        for column in columns.keys() - self._ring.keys():
            self._ring[column] = np.full(self.size, missing_value(column))
        first = min(rows, self.size - self._end)
        for column, ring in self._ring.items():
            values = columns.get(column)
            ring[self._end : self._end + first] = missing_value(column) if values is None else values[:first]
            ring[: rows - first] = missing_value(column) if values is None else values[first:]
        self._end = (self._end + rows) % self.size
        self._filled = min(self.size, self._filled + rows)
        self.seen += rows
        if self.reference is None and self.seen == self.size:
            self.reference = self.latest_rows()


def missing_value(column: Column) -> float:
    """The fill value of a column for rows without an observation."""
    return 0.0 if column.stage in ("flag", "invalid") else np.nan
