"""Counters that the workers share in memory-mapped files, which a full disk cannot stop.

prometheus_client makes its files sparse, and a process that writes to a page for which there is no room is killed
(SIGBUS). Here the room is reserved before it is used. Values for which there is none are kept in this process, and go
to the file, none of them lost, once there is room again.
"""

import contextlib
import os
import struct
import sys
import time
from collections.abc import Callable

import structlog
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

log = structlog.get_logger(__name__)

RETRY_S = 1.0
"""Seconds between two attempts to get room."""

_INITIAL_BYTES = 1 << 16
_BYTES_PER_VALUE = 36  # besides its name: the name's length, padding, the value and its time

Value = tuple[float, float]
"""A number, and the time when it was set."""


class SharedValues:
    """The values of one kind of metric of this process, by name: what prometheus_client asks of its ``MmapedDict``.

    Args:
        filename: file that every worker reads when metrics are scraped.
        clock: seconds, to wait between attempts to get room.
    """

    def __init__(self, filename: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._filename, self._clock = filename, clock
        self._file: _ReservedFile | None = None
        self._kept: dict[str, Value] = {}  # here alone, for want of room
        self._retry_at = 0.0  # 0 while there is room
        self._write_kept()

    def read_value(self, name: str) -> Value:
        """The value of a name, 0 at first."""
        if self._file is not None and name in self._file._positions:
            number, timestamp = self._file.read_value(name)  # type: ignore[no-untyped-call]
            return number, timestamp
        value = self._kept.get(name, (0.0, 0.0))
        self.write_value(name, *value)
        return value

    def write_value(self, name: str, value: float, timestamp: float) -> None:
        """Set a value; never fails."""
        if self._file is not None and name in self._file._positions:
            self._file.write_value(name, value, timestamp)  # type: ignore[no-untyped-call]
            return
        self._kept[name] = value, timestamp
        if self._clock() >= self._retry_at:
            self._write_kept()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()  # type: ignore[no-untyped-call]
            self._file = None

    def _write_kept(self) -> None:
        """Move what is kept into the file, as far as there is room."""
        try:
            if self._file is None:
                self._file = _ReservedFile(self._filename)
            for name in list(self._kept):
                self._file.write_value(name, *self._kept[name])  # type: ignore[no-untyped-call]
                del self._kept[name]
        except OSError as error:
            if not self._retry_at:
                log.warning("metrics_not_shared", reason=str(error))
            self._retry_at = self._clock() + RETRY_S
            return
        if self._retry_at:
            log.info("metrics_shared_again")
            self._retry_at = 0.0


class _ReservedFile(MmapedDict):
    """A file of values that raises OSError where there is no room for more; it is as it was then."""

    def __init__(self, filename: str) -> None:
        if not os.path.exists(filename):
            _make_file(filename)
        super().__init__(filename)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        needed, capacity = self._used + len(key.encode()) + _BYTES_PER_VALUE, self._capacity
        while needed > capacity:
            capacity *= 2
        if capacity > self._capacity:
            _reserve(self._f.fileno(), capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def _make_file(filename: str) -> None:
    """Make an empty file with room, complete from the moment that it has its name: others may be reading it."""
    draft = f"{filename}.draft"
    try:
        with open(draft, "wb") as file:
            _reserve(file.fileno(), _INITIAL_BYTES)
            file.write(struct.pack("i", 8))  # bytes in use: this number, and padding
        os.rename(draft, filename)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def _reserve(descriptor: int, size: int) -> None:
    """Give an open file room up to a size. Raises OSError if there is none."""
    if sys.platform == "darwin":  # which cannot reserve
        os.truncate(descriptor, size)
    else:
        os.posix_fallocate(descriptor, 0, size)


def install() -> None:
    """Let prometheus_client keep its values so, for every metric made from now on."""
    values.MmapedDict = SharedValues  # type: ignore[attr-defined,assignment]
