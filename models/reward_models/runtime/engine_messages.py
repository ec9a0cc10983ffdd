"""Messages between a model in Triton and its engine's process: JSON, each with its length before it, over pipes.

Only the standard library is needed, as an engine's environment has its own packages; and what comes from a process that
may run a checkpoint's own code is read as data.
"""

import json
import os
import select
import time
from typing import Any

LENGTH_BYTES = 8
CHUNK = 1 << 20


class Closed(RuntimeError):
    """The other side has closed the pipe: its process has ended."""


class TookTooLong(RuntimeError):
    """No whole message came within the time allowed."""


def write_message(pipe: int, message: Any, seconds: float | None = None) -> None:
    """Write one message to a file descriptor.

    Args:
        pipe: file descriptor of a pipe.
        message: of plain values.
        seconds: for the other side to take it all; None: for ever.

    Raises:
        Closed: nobody reads it any more.
        TookTooLong: it was not taken in time.
    """
    end = None if seconds is None else time.monotonic() + seconds
    packed = json.dumps(message).encode()
    left = memoryview(len(packed).to_bytes(LENGTH_BYTES, "little") + packed)
    try:
        while left:
            # A pipe that can be written to takes so many bytes without waiting.
            _wait_for([], [pipe], end)
            left = left[os.write(pipe, left[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        raise Closed from None


def read_message(pipe: int, seconds: float | None = None) -> Any:
    """Read one message from a file descriptor.

    Args:
        pipe: file descriptor of a pipe.
        seconds: to wait for the whole message; None: for ever.

    Raises:
        Closed: the pipe ends before the message does.
        TookTooLong: the message was not there in time.
    """
    end = None if seconds is None else time.monotonic() + seconds
    length = int.from_bytes(_read_bytes(pipe, LENGTH_BYTES, end), "little")
    return json.loads(_read_bytes(pipe, length, end))


def _read_bytes(pipe: int, count: int, end: float | None) -> bytes:
    found = bytearray()
    while len(found) < count:
        _wait_for([pipe], [], end)
        part = os.read(pipe, min(CHUNK, count - len(found)))
        if not part:
            raise Closed
        found += part
    return bytes(found)


def _wait_for(readable: list[int], writable: list[int], end: float | None) -> None:
    left = None if end is None else max(0.0, end - time.monotonic())
    if not any(select.select(readable, writable, [], left)):
        raise TookTooLong
