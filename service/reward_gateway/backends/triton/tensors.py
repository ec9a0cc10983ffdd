"""String tensors, packed once and cut without touching a row again.

On Triton's wire a string tensor is, for each row, a little-endian 4-byte length and the bytes. Rows are framed so
when their request arrives; a call is then a join of slices, whichever requests they come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct

import numpy as np

from reward_gateway.backends.encoded_rows import Piece, SizedRows

_length = Struct("<I").pack

EMPTY = _length(0)
"""An empty string: what a row has in a tensor that only its neighbours fill."""


def frame_value(value: bytes) -> bytes:
    """One row of a string tensor."""
    return _length(len(value)) + value


def frame_texts(texts: Iterable[str]) -> list[bytes]:
    """Rows of text as UTF-8. A lone surrogate, which UTF-8 cannot carry, becomes ``?``."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    return [_length(len(value)) + value for value in encoded]


@dataclass(slots=True)
class TensorRows(SizedRows):
    """Rows of one request as framed string tensors.

    Attributes:
        columns: tensor name -> framed values [n].
    """

    columns: dict[str, list[bytes]]

    @classmethod
    def of(cls, columns: dict[str, list[bytes]], size: int) -> "TensorRows":
        """Rows of framed columns, each of them [size]."""
        sizes = np.zeros(size, np.int64)
        for column in columns.values():
            sizes += np.fromiter(map(len, column), np.int64, size)
        return cls(np.cumsum(sizes), columns)


def join_pieces(pieces: Sequence[Piece[TensorRows]]) -> dict[str, bytes]:
    """The tensors of a call that takes a piece of each of several requests."""
    names = dict.fromkeys(name for piece in pieces for name in piece.rows.columns)
    parts: dict[str, list[bytes]] = {name: [] for name in names}
    for rows, start, stop in pieces:
        for name, part in parts.items():
            column = rows.columns.get(name)
            part += [EMPTY] * (stop - start) if column is None else column[start:stop]
    return {name: b"".join(part) for name, part in parts.items()}


def unframe_values(tensor: bytes, rows: int) -> list[bytes]:
    """The values of a string tensor. Raises ValueError if it does not hold exactly ``rows`` of them."""
    values, at = [], 0
    while at + 4 <= len(tensor):
        end = at + 4 + int.from_bytes(tensor[at : at + 4], "little")
        values.append(tensor[at + 4 : end])
        at = end
    if at != len(tensor) or len(values) != rows:
        raise ValueError("a string tensor of the wrong length")
    return values
