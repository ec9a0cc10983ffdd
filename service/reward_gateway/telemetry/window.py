"""The latest rows of one recipe as columns, and the rows that they are held against.

A row is a sample; a column is what was seen of it (its reward, the value of a component, a flag). All columns
share one ring, so that any two of them can be compared row by row. The first rows that fill the window are
frozen as its reference, until it is reset.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from reward_gateway.sample import FloatArray

Stage = Literal["reward", "value", "raw", "length", "flag", "invalid"]


class Column(NamedTuple):
    """What a column holds: the stage, and the component, guard or code that it is of.

    ``raw`` and ``value`` are a component before and after its transforms; ``flag`` and ``invalid`` are 0 or 1.
    """

    stage: Stage
    name: str = ""


REWARD, LENGTH = Column("reward"), Column("length")
Columns = Mapping[Column, FloatArray]


class Window:
    """A ring of the latest ``size`` rows and the frozen reference before them.

    Attributes:
        seen: rows since the start or the last reset.
        reference: the columns of the first ``size`` rows since then; None until there are as many.
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
        """Rows that came after the reference was full."""
        return max(0, self.seen - self.size)

    def append(self, columns: Columns, rows: int) -> None:
        """Add rows, oldest first; a column that is not given holds nothing (NaN, or 0 for flags and codes)."""
        start = 0
        while start < rows:
            room = self.size if self.reference is not None else self.size - self.seen
            stop = min(rows, start + room)
            self._write_rows({column: values[start:stop] for column, values in columns.items()}, stop - start)
            start = stop

    def latest_rows(self, rows: int | None = None) -> dict[Column, FloatArray]:
        """A copy of the last rows that are held, oldest first."""
        count = self._filled if rows is None else min(rows, self._filled)
        places = np.arange(self._end - count, self._end) % self.size
        return {column: values[places] for column, values in self._ring.items()}

    def reset(self) -> None:
        """Take the reference anew, from the rows that come from now on."""
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
    """What a column holds in a row of which nothing was seen."""
    return 0.0 if column.stage in ("flag", "invalid") else np.nan
