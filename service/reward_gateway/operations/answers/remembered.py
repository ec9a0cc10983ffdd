"""What was read in a text, remembered: the answers of a group share their reference, and many say the same."""

from collections.abc import Callable
from functools import lru_cache, update_wrapper
from typing import Generic, TypeVar

_KEPT = 4_096
"""Texts whose reading is kept."""

LONGEST = 300
"""Characters of a text that is kept: what all of them may take is a few megabytes."""

A = TypeVar("A")


class Remembered(Generic[A]):
    """A function of a text that depends on nothing else, and remembers what it found in the latest short ones."""

    def __init__(self, function: Callable[[str], A]) -> None:
        self._read = function
        self._read_kept = lru_cache(maxsize=_KEPT)(function)
        update_wrapper(self, function)

    def __call__(self, text: str) -> A:
        return self._read_kept(text) if len(text) <= LONGEST else self._read(text)
