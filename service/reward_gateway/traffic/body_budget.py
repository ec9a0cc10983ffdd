"""The bytes of all request bodies that one process holds, shared fairly among its callers.

A body is charged by its declared size before it is read, so that a request for which there is no room is refused at
once. What is held counts until the request is answered, because its bytes are kept until then.
"""

from typing import Self

from reward_gateway.errors import Overloaded
from reward_gateway.observer import UNOBSERVED, Observer

from .fair_shares import FairShares


class Reservation:
    """The bytes that one request holds, until the end of a ``with``."""

    __slots__ = ("_budget", "_caller", "size")

    def __init__(self, budget: "BodyBudget", caller: str) -> None:
        self._budget = budget
        self._caller = caller
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shrink(self.size)

    def grow(self, size: int) -> None:
        """Hold ``size`` bytes in all, if that is more than now. Raises Overloaded."""
        if size > self.size:
            self._budget.charge(self._caller, size, self.size)
            self.size = size

    def add(self, size: int) -> None:
        """Hold ``size`` bytes more. Raises Overloaded."""
        self._budget.charge(self._caller, self.size + size, self.size)
        self.size += size

    def resize(self, size: int) -> None:
        """Hold ``size`` bytes in all. Raises Overloaded, if that is more than now; then what is held stays."""
        self.grow(size)
        self.shrink(self.size - size)

    def shrink(self, by: int) -> None:
        """Hold so many bytes less."""
        if by:
            self.size -= by
            self._budget.release(self._caller, by)


class BodyBudget:
    """A number of bytes that callers share, so that whoever sends much, or slowly, leaves room for somebody else.

    Args:
        limit: maximum bytes held.
    """

    def __init__(self, limit: int, observer: Observer = UNOBSERVED) -> None:
        self.limit = limit
        self._shares = FairShares(limit)
        self._observer = observer

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._shares.held

    def reserve(self, caller: str, size: int = 0) -> Reservation:
        """Hold ``size`` bytes for the body of a ``with``; the reservation may grow.

        Args:
            caller: whose share it is.

        Raises:
            Overloaded: there is no room for it.
        """
        reservation = Reservation(self, caller)
        reservation.grow(size)
        return reservation

    def charge(self, caller: str, size: int, charged: int = 0) -> None:
        """Charge the ``size`` bytes of a body, some of them charged already, as if all came now. Raises Overloaded."""
        if not self._shares.take_if_room(caller, size, charged):
            self._observer.admission_rejected("body_bytes")
            raise Overloaded(
                f"the request bodies that are held now leave no room for this one ({size} bytes); try again later"
            )

    def release(self, caller: str, size: int) -> None:
        """Give back bytes that the caller holds."""
        self._shares.release(caller, size)
