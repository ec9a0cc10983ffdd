"""How fast requests are completed while others wait, from which their wait is predicted."""

MIN_COMPLETIONS = 8
"""Completions before a rate is known."""

FORGET_S = 60.0
"""A rate that was measured longer ago than this is measured anew: the work may be another by now."""


class CompletionRate:
    """The mean time between completions while requests wait, over about the last ``memory`` of them.

    Time is counted from one completion to the next. The time to the first one after a pause would say how long a
    request takes, not how many are completed meanwhile: 512 requests that are answered together after 2 s do not
    take 1,024 s.

    Args:
        memory: number of completions that are remembered: more than there are slots, so that requests that start
            together and end together are seen as a whole.
    """

    def __init__(self, memory: int) -> None:
        self._memory = max(memory, 4 * MIN_COMPLETIONS)
        self._count = 0  # up to the memory
        self._mean_s = 0.0
        self._last: float | None = None
        self._paused: float | None = None

    def count_completion(self, now: float) -> None:
        """A request was completed while others waited."""
        if self._is_outdated(now):
            self._count = 0
        if self._last is not None:
            self._count = min(self._count + 1, self._memory)
            self._mean_s += (now - self._last - self._mean_s) / self._count
        self._last, self._paused = now, None

    def pause(self, now: float) -> None:
        """Nothing waits any more: the time until something does is not counted."""
        self._last, self._paused = None, now

    def predict_s(self, completions: int, now: float) -> float:
        """Seconds until so many more requests are completed; 0 while the rate is not known.

        A rate that falls is noticed at once: the time since the last completion counts too.
        """
        if self._count < MIN_COMPLETIONS or self._is_outdated(now):
            return 0.0
        since = 0.0 if self._last is None else now - self._last
        return completions * (self._mean_s + since / self._count)

    def _is_outdated(self, now: float) -> bool:
        return self._paused is not None and now - self._paused > FORGET_S
