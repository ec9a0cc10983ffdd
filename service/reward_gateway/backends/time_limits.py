"""How long right answers to a problem take, so that what takes much longer can be stopped before its time is over.

Of each problem the latest times of passing runs are remembered, by this process. The limit is their p99 times a factor,
once there are enough of them; it is never above the time that a run has anyway, nor so short that the noise of a
machine would decide.
"""

import math
from array import array
from collections import OrderedDict

FEWEST = 20
"""Passing runs of a problem before it has a limit of its own."""

LATEST = 100
"""Passing runs of a problem of which the time is remembered."""

QUANTILE = 0.99

SHORTEST_S = 0.5
"""No limit is shorter."""

MOST_PROBLEMS = 10_000
"""Problems that are remembered: those that were run last."""


class TimeLimits:
    """The times of passing runs by problem."""

    def __init__(self, most_problems: int = MOST_PROBLEMS) -> None:
        self._most = most_problems
        self._seconds: OrderedDict[str, array[float]] = OrderedDict()

    def find(self, problem: str, factor: float, most_s: float) -> float | None:
        """The limit of a run, in seconds, at most ``most_s``; None while too few runs have passed."""
        seconds = self._seconds.get(problem)
        if seconds is None or len(seconds) < FEWEST:
            return None
        self._seconds.move_to_end(problem)
        slowest = sorted(seconds)[math.ceil(QUANTILE * len(seconds)) - 1]
        return min(most_s, max(SHORTEST_S, factor * slowest))

    def note_passing(self, problem: str, seconds: float) -> None:
        """A run passed, in so many seconds."""
        known = self._seconds.setdefault(problem, array("f"))
        known.append(seconds)
        if len(known) > LATEST:
            known.pop(0)
        self._seconds.move_to_end(problem)
        if len(self._seconds) > self._most:
            self._seconds.popitem(last=False)
