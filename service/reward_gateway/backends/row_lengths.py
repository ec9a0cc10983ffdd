"""How far a call's time follows the bytes of its rows: learned from the calls, as nothing else says it.

A row of a thousand tokens takes a text model as long as a hundred of ten; a picture takes a vision model what any
takes, whatever its file has. A row counts as (1 - k) and k times its bytes over the usual bytes of a row, with k of 0
to 1 by least squares over the latest calls.
"""

from reward_gateway.backends.encoded_rows import EncodedRows

_KEEP = 0.95
"""How much of what was learned stays with each further call."""

_KEEP_USUAL = 0.98
"""The same of the usual bytes of a row."""

_MOST = 2.0
"""A call that took longer than its rows explain counts as so many times what its bytes explain at most: the machine did
something else."""


class RowLengths:
    """The weight of rows, in rows of usual length."""

    def __init__(self) -> None:
        self._usual = 1.0  # bytes of a row: the mean of the latest calls
        self._rows, self._bytes = 0.0, 0.0  # of these, the latest count most
        self._by_bytes = 0.0  # k
        self._products, self._squares = 0.0, 1.0  # one call that said k = 0

    def weigh(self, rows: int, size: int) -> float:
        """Rows of usual length that take as long as rows of ``size`` bytes together."""
        if not self._by_bytes:
            return rows
        return rows + self._by_bytes * (size / self._usual - rows)

    def fit_rows(self, rows: EncodedRows, start: int, most: float) -> int:
        """The end of the longest slice from ``start`` that weighs no more than ``most``."""
        if not self._by_bytes:
            return min(rows.size, start + int(most))
        low, high = start, rows.size
        while low < high:
            stop = (low + high + 1) // 2
            if self.weigh(stop - start, rows.count_bytes(start, stop)) <= most:
                low = stop
            else:
                high = stop - 1
        return low

    def learn(self, rows: int, size: int, later: float) -> None:
        """A call was answered.

        Args:
            size: bytes of its rows.
            later: than as many rows of usual length would have been, in times of a row.
        """
        self._rows, self._bytes = _KEEP_USUAL * self._rows + rows, _KEEP_USUAL * self._bytes + size
        self._usual = max(1.0, self._bytes / self._rows)
        longer = size / self._usual - rows
        later = max(-_MOST * abs(longer), min(later, _MOST * abs(longer)))
        self._products = _KEEP * self._products + longer * later
        self._squares = _KEEP * self._squares + longer * longer
        self._by_bytes = max(0.0, min(self._products / self._squares, 1.0)) if self._squares > 1e-3 else 0.0
