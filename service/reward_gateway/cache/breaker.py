"""A circuit breaker: after several consecutive failures no call is sent to a store until a probe succeeds.

A failure is ignored if another call has succeeded since its call began: a call that fails late cannot undo the success
of a call that began at the same time or later.
"""

from collections.abc import Callable

from reward_gateway.observer import BreakerState


class Breaker:
    """Closed, open or half open. All times are read from ``clock``, in seconds.

    Args:
        failures: consecutive failures that open it.
        pause_s: how long it stays open before the first probe; doubled after each probe that fails, up to
            ``max_pause_s``.
        changed: called with every new state.
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
        self._failure_limit = failures
        self._clock = clock
        self._first_pause_s = self._pause_s = pause_s
        self._max_pause_s = max_pause_s
        self._on_state_change = changed
        self._consecutive_failures = 0
        self._generation = 0
        self._probe_at = 0.0
        self.state: BreakerState = "closed"

    def begin_call(self) -> int | None:
        """A ticket to report a failure with; None while the breaker is not closed."""
        return self._generation if self.state == "closed" else None

    def begin_probe(self) -> int | None:
        """A ticket for the one call that checks whether the store is back; None if no probe is due."""
        if self.state != "open" or self._clock() < self._probe_at:
            return None
        self._enter_state("half_open")
        return self._generation

    def record_success(self) -> None:
        """Report that a call was answered."""
        self._generation += 1
        self._consecutive_failures = 0
        self._pause_s = self._first_pause_s
        if self.state != "closed":
            self._enter_state("closed")

    def record_failure(self, ticket: int) -> None:
        """Report that a call was not answered, or that there was no connection.

        Args:
            ticket: what :meth:`begin_call` or :meth:`begin_probe` returned for the call.
        """
        if ticket != self._generation:
            return  # another call was answered since this one began
        if self.state == "half_open":
            self._pause_s = min(2 * self._pause_s, self._max_pause_s)
            self._open_breaker()
        elif self.state == "closed":
            self._consecutive_failures += 1
            if self._consecutive_failures >= self._failure_limit:
                self._open_breaker()

    def _open_breaker(self) -> None:
        self._probe_at = self._clock() + self._pause_s
        self._enter_state("open")

    def _enter_state(self, state: BreakerState) -> None:
        self.state = state
        self._on_state_change(state)
