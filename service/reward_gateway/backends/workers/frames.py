"""Messages between the gateway and its worker processes: two lengths, a pickle, and bytes that go beside it uncopied.

Both ends run this project's code, and nothing that a caller sent is unpickled: callers' data is content, never a frame.
"""

import pickle
import struct
from typing import Any

LENGTHS = struct.Struct("<QQ")
"""Bytes of the pickle and of its attachment."""


def encode_frame(message: Any, attachment: bytes = b"") -> list[bytes]:
    """The bytes of a frame, in pieces. Raises whatever pickling raises."""
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return [LENGTHS.pack(len(content), len(attachment)), content, attachment]


def decode_message(content: bytes) -> Any:
    """The message of a frame."""
    return pickle.loads(content)  # noqa: S301 - written by the other end of a private pipe
