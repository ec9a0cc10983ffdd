"""The latest requests that were refused, without a text: when, why, at which route, and by whose key."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

MOST = 200
"""Refusals that are kept."""


class Refusal(msgspec.Struct, array_like=True):
    """One of them.

    Attributes:
        at: seconds since 1970.
        route: a template or a method's name, never a path as it was sent.
        key: the name of the caller's key; empty: nobody knows it.
    """

    at: float
    code: str
    protocol: str
    route: str
    key: str


@dataclass(slots=True)
class Refusals:
    """The latest ones of this process.

    Attributes:
        latest: the newest last.
        waiting: those that the other processes do not see yet.
    """

    clock: Callable[[], float] = time.time
    latest: deque[Refusal] = field(default_factory=lambda: deque(maxlen=MOST), init=False)
    waiting: deque[Refusal] = field(default_factory=lambda: deque(maxlen=MOST), init=False)

    def note(self, code: str, protocol: str, route: str, key: str) -> None:
        """A request was refused."""
        refusal = Refusal(self.clock(), code, protocol, route, key)
        self.latest.append(refusal)
        self.waiting.append(refusal)
