"""String tensors, packed once and cut without touching a row again.

On Triton's wire a string tensor is, for each row, a little-endian 4-byte length and the bytes. Rows are framed so
when their request arrives; a call is then a join of slices, whichever requests they come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_length = Struct("<I").pack

EMPTY = _length(0)
"""An empty string: what a row has in a tensor that only its neighbours fill."""


def frame(value: bytes) -> bytes:
    """One row of a string tensor."""
    return _length(len(value)) + value


def frame_texts(texts: Iterable[str]) -> list[bytes]:
    """Rows of text as UTF-8. A lone surrogate, which UTF-8 cannot carry, becomes ``?``."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    return [_length(len(value)) + value for value in encoded]


@dataclass(slots=True)
class PackedRows:
    """Rows of one request, ready to be sent.

    Attributes:
        columns: tensor name -> framed values [n].
        ends: [n] bytes up to and including each row.
    """

    columns: dict[str, list[bytes]]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, columns: dict[str, list[bytes]], size: int) -> "PackedRows":
        sizes = np.zeros(size, np.int64)
        for column in columns.values():
            sizes += np.fromiter(map(len, column), np.int64, size)
        return cls(columns, np.cumsum(sizes))

    @property
    def size(self) -> int:
        return len(self.ends)

    def fit(self, start: int, rows: int, room: int) -> int:
        """Where to stop, from ``start``, so that neither ``rows`` nor ``room`` bytes are passed."""
        sent = int(self.ends[start - 1]) if start else 0
        return start + int(np.searchsorted(self.ends[start : start + rows], sent + room, side="right"))

    def bytes_between(self, start: int, stop: int) -> int:
        return int(self.ends[stop - 1]) - (int(self.ends[start - 1]) if start else 0)


class Piece(NamedTuple):
    """Rows ``start:stop`` of a request."""

    rows: PackedRows
    start: int
    stop: int


def join(pieces: Sequence[Piece]) -> dict[str, bytes]:
    """The tensors of a call that takes a piece of each of several requests."""
    names = dict.fromkeys(name for piece in pieces for name in piece.rows.columns)
    parts: dict[str, list[bytes]] = {name: [] for name in names}
    for rows, start, stop in pieces:
        for name, part in parts.items():
            column = rows.columns.get(name)
            part += [EMPTY] * (stop - start) if column is None else column[start:stop]
    return {name: b"".join(part) for name, part in parts.items()}


def unframe(tensor: bytes, rows: int) -> list[bytes]:
    """The values of a string tensor. Raises ValueError if it does not hold exactly ``rows`` of them."""
    values, at = [], 0
    while at + 4 <= len(tensor):
        end = at + 4 + int.from_bytes(tensor[at : at + 4], "little")
        values.append(tensor[at + 4 : end])
        at = end
    if at != len(tensor) or len(values) != rows:
        raise ValueError("a string tensor of the wrong length")
    return values
