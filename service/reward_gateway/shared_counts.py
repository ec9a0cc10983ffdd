"""How many connections each worker has open: numbers in memory that all workers of this machine share.

The supervisor makes the memory and hands its file descriptor down; a worker writes its own number only.
"""

import mmap
import os
from typing import Self

FD_VARIABLE, PLACE_VARIABLE = "REWARD_GATEWAY_COUNTS_FD", "REWARD_GATEWAY_COUNTS_PLACE"
"""Environment variables by which a worker gets the memory and its place in it."""

_ITEM = 4
_ABSENT = -1


class SharedCounts:
    """Numbers that processes share, one for each.

    Args:
        fd: file descriptor of the memory; closed here.
        place: the own number's.
    """

    def __init__(self, fd: int, place: int) -> None:
        self._memory = mmap.mmap(fd, 0)
        os.close(fd)
        self._numbers = memoryview(self._memory).cast("i")
        self._place = place

    @classmethod
    def from_environment(cls) -> Self | None:
        """What the supervisor handed down; None if this process is the only one."""
        fd, place = os.environ.get(FD_VARIABLE), os.environ.get(PLACE_VARIABLE)
        return cls(int(fd), int(place)) if fd and place else None

    def set_own(self, number: int) -> None:
        """Tell the others this process's number."""
        self._numbers[self._place] = number

    def withdraw(self) -> None:
        """This process counts no longer."""
        self.set_own(_ABSENT)

    def smallest_of_others(self) -> int | None:
        """The least number of another process that counts; None if there is none."""
        others = (number for place, number in enumerate(self._numbers) if place != self._place and number >= 0)
        return min(others, default=None)


def create_counts(processes: int) -> int:
    """The file descriptor of memory for so many numbers, none of which counts yet."""
    fd = os.memfd_create("connections", os.MFD_CLOEXEC)
    os.write(fd, _ABSENT.to_bytes(_ITEM, "little", signed=True) * processes)
    return fd


def withdraw_count(fd: int, place: int) -> None:
    """The process of this place has ended."""
    os.pwrite(fd, _ABSENT.to_bytes(_ITEM, "little", signed=True), place * _ITEM)
