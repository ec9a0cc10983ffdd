"""What replicas need of a circuit breaker."""

from collections.abc import Callable
from typing import Protocol

from reward_gateway.observer import BreakerState


class Breaker(Protocol):
    """Circuit breaker: whether a server that did not answer may be called."""

    def begin_call(self) -> int | None:
        """A ticket; None while the breaker is open."""

    def begin_probe(self) -> int | None:
        """A ticket for the one call that may test whether the server is back."""

    def record_success(self) -> None:
        """A call was answered."""

    def record_failure(self, ticket: int) -> None:
        """A call was not."""


MakeBreaker = Callable[[Callable[[BreakerState], None]], Breaker]
"""Makes a breaker that tells every change of its state."""
