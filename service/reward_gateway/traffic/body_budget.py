"""The bytes of all request bodies that one process holds, shared fairly among its callers.

A body is charged by its declared size before it is read, so that a request for which there is no room is refused at
once. What is held counts until the request is answered, because its bytes are kept until then.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from reward_gateway.errors import Overloaded
from reward_gateway.observer import UNOBSERVED, Observer


class Reservation:
    """The bytes that one request holds."""

    def __init__(self, budget: "BodyBudget", caller: str) -> None:
        self._budget = budget
        self._caller = caller
        self.size = 0

    def grow(self, size: int) -> None:
        """Hold ``size`` bytes in all, if that is more than now. Raises Overloaded."""
        if size > self.size:
            self._budget.charge(self._caller, size, self.size)
            self.size = size

    def shrink(self, by: int) -> None:
        """Hold so many bytes less."""
        if by:
            self.size -= by
            self._budget.release(self._caller, by)


class BodyBudget:
    """A number of bytes that callers share.

    With a new body a caller may hold as many bytes as are free without it: by many bodies, alone at most half of the
    budget, with another a third each, and 1/(n + 1) each with n in all. So whoever sends much, or slowly, leaves room
    for somebody else.

    Args:
        limit: maximum bytes held.

    Attributes:
        held: bytes held now.
    """

    def __init__(self, limit: int, observer: Observer = UNOBSERVED) -> None:
        self.limit = limit
        self.held = 0
        self._by_caller: dict[str, int] = {}
        self._observer = observer

    @contextmanager
    def reserve(self, caller: str, size: int = 0) -> Iterator[Reservation]:
        """Hold ``size`` bytes for the body of the ``with``; the reservation may grow.

        Args:
            caller: whose share it is.

        Raises:
            Overloaded: there is no room for it.
        """
        reservation = Reservation(self, caller)
        try:
            reservation.grow(size)
            yield reservation
        finally:
            if reservation.size:
                self.release(caller, reservation.size)

    def charge(self, caller: str, size: int, charged: int = 0) -> None:
        """Charge the ``size`` bytes of a body, some of them charged already, as if all came now. Raises Overloaded."""
        others = self.held - charged
        own = self._by_caller.get(caller, 0) - charged
        if own + size > self.limit - others:
            self._observer.admission_rejected("body_bytes")
            raise Overloaded(
                f"the request bodies that are held now leave no room for this one ({size} bytes); try again later"
            )
        self._by_caller[caller] = own + size
        self.held = others + size

    def release(self, caller: str, size: int) -> None:
        """Give back bytes that the caller holds."""
        left = self._by_caller[caller] - size
        if left:
            self._by_caller[caller] = left
        else:
            del self._by_caller[caller]
        self.held -= size
