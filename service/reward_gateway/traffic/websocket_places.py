"""How many WebSockets one process holds open: each keeps its connection while its client is thinking."""

from collections.abc import Iterator
from contextlib import contextmanager

from reward_gateway.errors import Overloaded
from reward_gateway.observer import UNOBSERVED, Observer

from .fair_shares import FairShares


class WebSocketPlaces:
    """Places that callers share. Nobody waits for one: clients are refused, and may go to another gateway.

    Args:
        limit: maximum WebSockets.
    """

    def __init__(self, limit: int, observer: Observer = UNOBSERVED) -> None:
        self._shares = FairShares(limit)
        self._observer = observer

    @property
    def held(self) -> int:
        """WebSockets that are open now."""
        return self._shares.held

    @contextmanager
    def hold(self, caller: str) -> Iterator[None]:
        """Hold a place for the body of the ``with``.

        Args:
            caller: whose share it is.

        Raises:
            Overloaded: the caller, or all callers together, have as many as they may.
        """
        if not self._shares.has_room(caller):
            self._observer.admission_rejected("websockets")
            raise Overloaded(
                f"{self._shares.held_by(caller)} WebSockets of this caller and {self.held} in all are open: close some "
                "first, or raise REWARD_GATEWAY_MAX_WEBSOCKETS"
            )
        self._shares.take(caller)
        try:
            yield
        finally:
            self._shares.release(caller)
