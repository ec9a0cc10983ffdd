"""String tensors in Triton's wire format, encoded once per row and sliced without copying rows again.

On the wire a string tensor is, for each row, a little-endian 4-byte length and the bytes. Rows are encoded when their
request arrives; a call then joins slices of several requests.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from struct import Struct

from reward_gateway.backends.encoded_rows import Piece, SizedRows

_length = Struct("<I").pack

EMPTY = _length(0)
"""An empty string, for rows without a value in a tensor that other rows of the call fill."""


def frame_value(value: bytes) -> bytes:
    """Encode one row of a string tensor."""
    return _length(len(value)) + value


def frame_texts(texts: Iterable[str]) -> list[bytes]:
    """Encode rows of text as UTF-8. A lone surrogate, which UTF-8 cannot represent, becomes ``?``."""
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
        lengths = [map(len, column) for column in columns.values()]
        sizes = map(sum, zip(*lengths, strict=True)) if lengths else [0] * size
        return cls(list(accumulate(sizes)), columns)


def join_pieces(pieces: Sequence[Piece[TensorRows]]) -> dict[str, bytes]:
    """Join pieces of several requests into the tensors of one call."""
    names = dict.fromkeys(name for piece in pieces for name in piece.rows.columns)
    parts: dict[str, list[bytes]] = {name: [] for name in names}
    for rows, start, stop in pieces:
        for name, part in parts.items():
            column = rows.columns.get(name)
            part += [EMPTY] * (stop - start) if column is None else column[start:stop]
    return {name: b"".join(part) for name, part in parts.items()}


def unframe_values(tensor: bytes, rows: int) -> list[bytes]:
    """Decode the values of a string tensor. Raises ValueError unless it holds exactly ``rows`` values."""
    values, at = [], 0
    while at + 4 <= len(tensor):
        end = at + 4 + int.from_bytes(tensor[at : at + 4], "little")
        values.append(tensor[at + 4 : end])
        at = end
    if at != len(tensor) or len(values) != rows:
        raise ValueError("the string tensor has the wrong length")
    return values
