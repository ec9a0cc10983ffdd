"""Places among those who work, given up by one who only waits for others to come.

A sample waits in its cohort for the other samples of its prompt, which may come by requests that need a place
themselves: if those that wait kept theirs, they would wait for each other until their time is up.
"""

from contextvars import ContextVar
from typing import Protocol


class Parkable(Protocol):
    """A place that may be given up before the work ends."""

    def park(self, seconds: float) -> None:
        """Give the place up while nothing is done for so many seconds at most."""


_HELD: ContextVar[tuple[Parkable, ...]] = ContextVar("held_places", default=())


class holding:  # noqa: N801 (read as a verb: `with holding(place)`)
    """The running task, and the tasks that it starts, hold a place in the ``with`` block."""

    __slots__ = ("_place", "_token")

    def __init__(self, place: Parkable) -> None:
        self._place = place

    def __enter__(self) -> None:
        self._token = _HELD.set((*_HELD.get(), self._place))

    def __exit__(self, *_: object) -> None:
        _HELD.reset(self._token)


def park(seconds: float) -> None:
    """Give up every place that the running task holds, since it only waits, for so many seconds at most."""
    for place in _HELD.get():
        place.park(seconds)
