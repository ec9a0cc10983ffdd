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

    While no rate is known, time tells the least that a wait can be: the requests in flight have taken as long as
    somebody has waited for them, and those behind them are not taken to be quicker.

    Args:
        slots: requests in flight while others wait. Twice as many completions are remembered, so that requests that
            start together and end together are seen as a whole.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._memory = max(2 * slots, 4 * MIN_COMPLETIONS)
        self._since: float | None = None  # requests have waited without a break
        self._since_count = 0
        self._count = 0  # up to the memory
        self._mean_s = 0.0
        self._last: float | None = None
        self._paused: float | None = None

    @property
    def is_settled(self) -> bool:
        """Whether a whole round of slots was seen; before, the rate may be off by a factor of two."""
        return self._count >= max(self._slots, MIN_COMPLETIONS)

    def count_completion(self, now: float) -> None:
        """A request was completed while others waited."""
        self._since_count += 1
        if self._is_outdated(now):
            self._count = 0
        if self._last is not None:
            self._count = min(self._count + 1, self._memory)
            self._mean_s += (now - self._last - self._mean_s) / self._count
        self._last, self._paused = now, None

    def resume(self, now: float) -> None:
        """A request waits from now on, and no other does."""
        self._since, self._since_count = now, 0

    def pause(self, now: float) -> None:
        """Nothing waits any more: the time until something does is not counted."""
        self._last, self._paused, self._since = None, now, None

    def predict_s(self, completions: int, now: float) -> float:
        """Seconds until so many more requests are completed; while the rate is not known, the least that it can be.

        A rate that falls is noticed at once: the time since the last completion counts too.
        """
        if self._count < MIN_COMPLETIONS or self._is_outdated(now):
            if self._since is None:
                return 0.0
            # As if all that are in flight were completed now.
            return max(0, completions - self._slots) * (now - self._since) / (self._since_count + self._slots)
        since = 0.0 if self._last is None else now - self._last
        return completions * (self._mean_s + since / self._count)

    def _is_outdated(self, now: float) -> bool:
        return self._paused is not None and now - self._paused > FORGET_S
