"""What an operation reads: its items, field by field, as arrays.

Over HTTP the columns are made of the request's items; in a recipe they are made of the batch and of
what earlier steps gave, with nothing copied. An operation asks for a field in the shape it needs and
does not know which of the two it was. A value that is missing reads as NaN (numbers) or None (objects).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray


class Columns:
    """Fields by name, all of one length.

    Args:
        size: number of items.
        fields: name -> [n] array, list, or a mapping of name -> [n] array (a table); kept as it is, and not changed.
    """

    __slots__ = ("_fields", "size")

    def __init__(self, size: int, fields: Mapping[str, Any]) -> None:
        self.size = size
        self._fields = fields

    @classmethod
    def of_items(cls, items: Sequence[Any], names: Sequence[str]) -> "Columns":
        """The columns of validated items (pydantic models), one list per field."""
        return cls(len(items), {name: [getattr(item, name) for item in items] for name in names})

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def given(self, name: str) -> Any:
        """The column as it was given: a list, an array, a mapping of name -> [n] array, or None."""
        return self._fields.get(name)

    def read_fields(self) -> Iterable[tuple[str, Any]]:
        """Every column by its name, as it was given."""
        return self._fields.items()

    def replaced(self, name: str, column: Any) -> "Columns":
        """The same columns with another one in place of ``name``."""
        return Columns(self.size, {**self._fields, name: column})

    def selected(self, rows: Sequence[int]) -> "Columns":
        """The columns of some rows, which may repeat, in this order."""
        return Columns(len(rows), {name: _select(column, rows) for name, column in self._fields.items()})

    def objects(self, name: str, default: Any = None) -> Sequence[Any]:
        """[n] values as they came: text, lists, models; ``default`` where the field is absent."""
        column = self._fields.get(name)
        if isinstance(column, list):
            return column
        if column is None:
            return [default] * self.size
        return column if isinstance(column, Sequence) else list(column)

    def floats(self, name: str, default: float = np.nan) -> FloatArray:
        """[n] float64; None reads as ``default``."""
        column = self._fields.get(name)
        if column is None:
            return np.full(self.size, default)
        if isinstance(column, np.ndarray):
            return column.astype(np.float64, copy=False)
        if isinstance(column, (int, float)):
            return np.full(self.size, float(column))
        return np.array([default if value is None else value for value in column], dtype=np.float64)

    def vectors(self, name: str) -> list[FloatArray | None]:
        """[n] float64 vectors of any lengths; None where the item has none."""
        return [None if value is None else np.asarray(value, dtype=np.float64) for value in self.objects(name)]

    def table(self, name: str) -> dict[str, FloatArray]:
        """name -> [n] float64, for a field that maps names to numbers; a name that an item lacks reads as NaN."""
        column = self._fields.get(name)
        if column is None:
            return {}
        if isinstance(column, Mapping):
            return {key: np.asarray(value, dtype=np.float64) for key, value in column.items()}
        names: dict[str, None] = {}
        for value in column:
            names.update(dict.fromkeys(value or ()))
        return {
            key: np.array([np.nan if not row or row.get(key) is None else row[key] for row in column], dtype=np.float64)
            for key in names
        }

    def rows(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """[n] the fields of every item as one mapping, for operations that work item by item."""
        names = list(names)
        return [dict(zip(names, row, strict=True)) for row in zip(*map(self.objects, names), strict=True)]

    def map_rows(self, function: Callable[[int], Any]) -> list[Any]:
        """``function(i)`` for every item, in order."""
        return [function(i) for i in range(self.size)]


def _select(column: Any, rows: Sequence[int]) -> Any:
    if isinstance(column, Mapping):
        return {name: _select(values, rows) for name, values in column.items()}
    if isinstance(column, np.ndarray):
        return column[list(rows)]
    return [column[i] for i in rows] if isinstance(column, Sequence) and not isinstance(column, str) else column
