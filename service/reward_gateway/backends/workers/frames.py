"""Messages between the gateway and its worker processes: two lengths, a pickle, and bytes that go beside it uncopied.

Both ends run this project's code, and nothing that a caller sent is unpickled: callers' data is content, never a frame.

One call of the pickle module holds the interpreter to its end, in whatever thread. Here it reads and writes through
objects of Python, 64 KiB at a time, between which other threads go on: a large message is encoded and decoded in a
thread, and the event loop waits for no more than one such piece.
"""

import pickle
import struct
from collections.abc import Sequence
from typing import Any

LENGTHS = struct.Struct("<QQ")
"""Bytes of the pickle and of its attachment."""

LARGE = 1 << 18
"""Bytes of a message that is encoded and decoded in a thread; a smaller one takes less than a change of threads may."""


_COPIED = 1 << 18
"""Bytes that are copied in one go."""


class TooLong(Exception):
    """A message of more bytes than were allowed."""


class _Pieces:
    """What a pickler writes to: keeps the pieces as they come."""

    def __init__(self, most: int | None) -> None:
        self.pieces: list[bytes | memoryview] = []
        self.size = 0
        self._most = most

    def write(self, piece: bytes | pickle.PickleBuffer) -> None:
        kept = piece if isinstance(piece, bytes) else pickle.PickleBuffer(piece).raw()  # of an array of numbers
        self.size += len(kept)
        if self._most is not None and self.size > self._most:
            raise TooLong
        self.pieces.append(kept)


class _Reader:
    """What an unpickler reads from: pieces one after the other."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = iter(pieces)
        self._piece = memoryview(b"")

    def read(self, size: int) -> bytes:
        taken: list[memoryview] = []
        while size and (len(self._piece) or self._advance()):
            taken.append(self._piece[:size])
            self._piece = self._piece[size:]
            size -= len(taken[-1])
        return b"".join(taken)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer, such as that of an array, piece by piece: one copy of it all would hold others up."""
        filled = 0
        while filled < len(buffer) and (len(self._piece) or self._advance()):
            taken = self._piece[: min(len(buffer) - filled, _COPIED)]
            buffer[filled : filled + len(taken)] = taken
            self._piece = self._piece[len(taken) :]
            filled += len(taken)
        return filled

    def readline(self) -> bytes:
        raise pickle.UnpicklingError("no line stands in a frame")  # only in protocols that are not used here

    def _advance(self) -> bool:
        self._piece = memoryview(next(self._pieces, b""))
        return len(self._piece) > 0


def encode_frame(message: Any, attachment: bytes = b"", most: int | None = None) -> list[bytes | memoryview]:
    """The bytes of a frame, in pieces.

    Args:
        most: bytes that the pickle may have; None: any number.

    Raises:
        TooLong: it has more.
        Exception: whatever pickling raises.
    """
    content = _Pieces(most)
    pickle.Pickler(content, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    return [LENGTHS.pack(content.size, len(attachment)), *content.pieces, attachment]


def decode_message(content: Sequence[bytes]) -> Any:
    """The message of a frame, of the pieces of its pickle."""
    return pickle.Unpickler(_Reader(content)).load()  # noqa: S301 - written by the other end of a private pipe
