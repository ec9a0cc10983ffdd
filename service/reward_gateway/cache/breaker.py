"""Leave a store alone that does not answer: after some failures in a row it is not asked, until a probe gets through.

A failure counts only against what was known when its call began: a call that failed late cannot undo the success of
one that began with it or after it.
"""

from collections.abc import Callable

from reward_gateway.observer import BreakerState


class Breaker:
    """Closed, open or half open. All times are of ``clock``.

    Args:
        failures: failures in a row that open it.
        pause_s: how long it stays open before the first probe; doubled after each probe that fails, up to
            ``max_pause_s``.
        changed: told of every new state.
    """

    def __init__(
        self,
        failures: int,
        clock: Callable[[], float],
        *,
        pause_s: float = 0.5,
        max_pause_s: float = 5.0,
        changed: Callable[[BreakerState], None] = lambda state: None,
    ) -> None:
        self._limit = failures
        self._clock = clock
        self._first_pause_s = self._pause_s = pause_s
        self._max_pause_s = max_pause_s
        self._changed = changed
        self._in_a_row = 0
        self._era = 0
        self._probe_at = 0.0
        self.state: BreakerState = "closed"

    def allow(self) -> int | None:
        """A ticket to be handed back with the outcome; None while the store is left alone."""
        return self._era if self.state == "closed" else None

    def probe(self) -> int | None:
        """A ticket for the one call that may try whether the store is back; None if it is not time for one."""
        if self.state != "open" or self._clock() < self._probe_at:
            return None
        self._enter("half_open")
        return self._era

    def succeeded(self) -> None:
        """A call was answered."""
        self._era += 1
        self._in_a_row = 0
        self._pause_s = self._first_pause_s
        if self.state != "closed":
            self._enter("closed")

    def failed(self, ticket: int) -> None:
        """A call was not answered, or there was no connection."""
        if ticket != self._era:
            return  # another call was answered since this one began
        if self.state == "half_open":
            self._pause_s = min(2 * self._pause_s, self._max_pause_s)
            self._open()
        elif self.state == "closed":
            self._in_a_row += 1
            if self._in_a_row >= self._limit:
                self._open()

    def _open(self) -> None:
        self._probe_at = self._clock() + self._pause_s
        self._enter("open")

    def _enter(self, state: BreakerState) -> None:
        self.state = state
        self._changed(state)
