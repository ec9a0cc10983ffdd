"""Several numbers per item, of any count: flat values plus the row each belongs to.

Reference rewards, ensemble members and component rewards all have this shape. Reductions are a handful
of numpy calls whatever the number of items, they add within a row in the row's own order (so a row's
result is the same in any batch), and nothing is padded: one long item costs its own length only.
A NaN in a row makes that row's reductions NaN; a row without values reduces to NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_gateway.sample import BoolArray, FloatArray

from .columns import Columns


@dataclass(frozen=True, slots=True)
class Ragged:
    """n rows of numbers.

    Attributes:
        values: [total] float64, row after row.
        rows: [total] the row of each value.
        counts: [n] values a row.
        names: [total] the name of each value where the field was a mapping, else None.
    """

    values: FloatArray
    rows: NDArray[np.intp]
    counts: NDArray[np.intp]
    names: Sequence[str] | None = None

    @classmethod
    def of_lists(cls, lists: Sequence[Any]) -> "Ragged":
        """Rows from lists, arrays or mappings of name -> number; None is an empty row."""
        counts = np.array([0 if row is None else len(row) for row in lists], dtype=np.intp)
        rows = np.repeat(np.arange(len(lists)), counts)
        if any(isinstance(row, Mapping) for row in lists):
            pairs = [pair for row in lists if row is not None for pair in _named_values(row)]
            return cls(np.array([value for _, value in pairs], np.float64), rows, counts, [name for name, _ in pairs])
        filled = [np.asarray(row, dtype=np.float64) for row, count in zip(lists, counts.tolist(), strict=True) if count]
        return cls(np.concatenate(filled) if filled else np.empty(0), rows, counts)

    @classmethod
    def of_column(cls, columns: Columns, name: str) -> "Ragged":
        """A field that holds a list or a mapping of numbers per item, or (in a recipe) a mapping of [n] arrays."""
        given = columns.given(name)
        if not isinstance(given, Mapping):
            return cls.of_lists([None] * columns.size if given is None else given)
        table = np.stack([np.broadcast_to(np.asarray(v, dtype=np.float64), columns.size) for v in given.values()], 1)
        k = len(given)
        counts = np.full(columns.size, k, dtype=np.intp)
        rows = np.repeat(np.arange(columns.size), k)
        return cls(table.ravel(), rows, counts, list(given) * columns.size)

    @property
    def size(self) -> int:
        return len(self.counts)

    @property
    def empty(self) -> BoolArray:
        """[n] True where a row has no values."""
        return np.equal(self.counts, 0)

    def spread(self, per_row: FloatArray) -> FloatArray:
        """[total] a number per row, repeated for each of the row's values."""
        return per_row[self.rows]

    def with_values(self, values: FloatArray) -> "Ragged":
        """The same rows with other values."""
        return Ragged(values, self.rows, self.counts, self.names)

    def head(self, limit: int) -> "Ragged":
        """At most the first ``limit`` values of each row."""
        place = np.arange(len(self.values)) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        keep = place < limit
        names = None if self.names is None else [n for n, kept in zip(self.names, keep, strict=True) if kept]
        return Ragged(self.values[keep], self.rows[keep], np.minimum(self.counts, limit), names)

    def sum(self) -> FloatArray:
        """[n] sums; 0 for an empty row."""
        return np.bincount(self.rows, weights=self.values, minlength=self.size).astype(np.float64, copy=False)

    def mean(self) -> FloatArray:
        """[n] means; NaN for an empty row."""
        return np.where(self.empty, np.nan, self.sum() / np.maximum(self.counts, 1))

    def std(self, ddof: int = 0) -> FloatArray:
        """[n] standard deviations; 0 where a row has too few values for it, NaN for an empty row."""
        deviations = self.with_values(self.values - self.spread(self.mean()))
        squares = deviations.with_values(deviations.values**2).sum()
        variance = squares / np.maximum(self.counts - ddof, 1)
        return np.where(self.empty, np.nan, np.where(self.counts > ddof, np.sqrt(variance), 0.0 * squares))

    def min(self) -> FloatArray:
        """[n] least values; NaN for an empty row."""
        return self._reduce_rows(np.minimum)

    def max(self) -> FloatArray:
        """[n] greatest values; NaN for an empty row."""
        return self._reduce_rows(np.maximum)

    def any(self, mask: BoolArray) -> BoolArray:
        """[n] True where any of the row's values is marked in ``mask`` [total]."""
        return np.bincount(self.rows[mask], minlength=self.size) > 0

    def quantile(self, q: float) -> FloatArray:
        """[n] quantiles with linear interpolation between order statistics; NaN for an empty row."""
        order = np.lexsort((self.values, self.rows))
        ordered = np.append(self.values[order], np.nan)
        starts = np.cumsum(self.counts) - self.counts
        last = np.maximum(self.counts - 1, 0)
        place = q * last
        low = np.floor(place).astype(np.intp)
        high = np.minimum(low + 1, last)
        share = place - low
        below, above = ordered[starts + low], ordered[starts + high]
        value = below + (above - below) * share
        return np.where(self.empty | self.any(np.isnan(self.values)), np.nan, value)

    def _reduce_rows(self, ufunc: np.ufunc) -> FloatArray:
        result = np.full(self.size, np.nan)
        filled = ~self.empty
        if filled.any():
            starts = (np.cumsum(self.counts) - self.counts)[filled]
            result[filled] = ufunc.reduceat(self.values, starts)
        return result


def _named_values(row: Any) -> Sequence[tuple[str, float]]:
    """The numbers of a row with their names: the keys of a mapping, the places of a list."""
    return list(row.items()) if isinstance(row, Mapping) else [(str(i), value) for i, value in enumerate(row)]
