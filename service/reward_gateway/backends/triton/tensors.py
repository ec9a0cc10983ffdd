"""String tensors in Triton's wire format: rows are encoded once, and framed when the call that holds them is sent.

On the wire a string tensor is, for each row, a little-endian 4-byte length and the bytes. Rows are encoded when their
request arrives; a call then holds slices of several requests, whose texts are copied once, into the call's message.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import add
from struct import Struct

from reward_gateway.backends.encoded_rows import Piece, SizedRows

_length = Struct("<I").pack

LENGTH_BYTES = 4
"""Bytes before each value of a string tensor."""


def frame_value(value: bytes) -> bytes:
    """Encode one row of a string tensor."""
    return _length(len(value)) + value


def frame_values(values: Sequence[bytes]) -> Iterable[bytes]:
    """The parts of a string tensor, which lie one behind the other: the length and the bytes of every row."""
    return chain.from_iterable(zip(map(_length, map(len, values)), values, strict=True))


def encode_texts(texts: Sequence[str]) -> list[bytes]:
    """Texts as UTF-8. A lone surrogate, which UTF-8 cannot represent, becomes ``?``."""
    try:
        return list(map(str.encode, texts))
    except UnicodeEncodeError:
        return [text.encode("utf-8", "replace") for text in texts]


@dataclass(slots=True)
class TensorRows(SizedRows):
    """Rows of one request as the values of string tensors.

    Attributes:
        columns: tensor name -> values [n], not yet framed.
    """

    columns: dict[str, list[bytes]]

    @classmethod
    def of(cls, columns: dict[str, list[bytes]], size: int) -> "TensorRows":
        """Rows of columns, each of them [size]."""
        sizes: Iterable[int] = [LENGTH_BYTES * len(columns)] * size
        for column in columns.values():
            sizes = map(add, sizes, map(len, column))
        return cls(list(accumulate(sizes)), columns)


def join_pieces(pieces: Sequence[Piece[TensorRows]]) -> dict[str, list[bytes]]:
    """The values of the tensors of one call, which holds pieces of several requests.

    A row without a value in a tensor that other rows of the call fill has an empty string there.
    """
    names = dict.fromkeys(name for piece in pieces for name in piece.rows.columns)
    tensors: dict[str, list[bytes]] = {name: [] for name in names}
    for rows, start, stop in pieces:
        for name, values in tensors.items():
            column = rows.columns.get(name)
            values += [b""] * (stop - start) if column is None else column[start:stop]
    return tensors


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
