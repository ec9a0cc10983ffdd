"""When a slow call is sent to a second replica: after the time in which nearly all calls are answered, and seldom."""

import math
from collections import deque

LATEST = 256
"""Calls of which the time is remembered."""

FEWEST = 20
"""Calls that have to be answered before any is sent twice."""

QUANTILE = 0.95
SHARE = 0.05
"""Most further calls, of all calls."""


class Hedging:
    """What is known of the times of calls, and how many were sent twice."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=LATEST)
        self._calls = self._further = 0

    def begin_call(self) -> float | None:
        """Count a call; the seconds after which it may be sent once more, None: not at all."""
        self._calls += 1
        if len(self._seconds) < FEWEST:
            return None
        ordered = sorted(self._seconds)
        return ordered[math.ceil(QUANTILE * len(ordered)) - 1]

    def take_further_call(self) -> bool:
        """Whether a further call may be made now, which is counted."""
        if self._further + 1 > SHARE * self._calls:
            return False
        self._further += 1
        return True

    def note_answer(self, seconds: float) -> None:
        """A call was answered in so many seconds."""
        self._seconds.append(seconds)
