"""An amount that callers share: bytes of bodies, messages that are received at once, WebSockets.

With a further part a caller may hold as much as is free without it: alone at most half of all, with another a third
each, and 1/(n + 1) each with n in all. So whoever takes much leaves room for somebody else.
"""


class FairShares:
    """What each caller holds of a limited amount.

    Args:
        limit: maximum held by all.

    Attributes:
        held: what all callers hold.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._by_caller: dict[str, int] = {}

    def held_by(self, caller: str) -> int:
        """What one caller holds."""
        return self._by_caller.get(caller, 0)

    def has_room(self, caller: str, size: int = 1, charged: int = 0) -> bool:
        """Whether a caller may hold ``size``, of which it holds ``charged`` already, as if all of it came now."""
        return self._by_caller.get(caller, 0) - charged + size <= self.limit - self.held + charged

    def take_if_room(self, caller: str, size: int = 1, charged: int = 0) -> bool:
        """The caller holds ``size`` from now on, of which it holds ``charged`` already, if :meth:`has_room`."""
        holds = self._by_caller.get(caller, 0) - charged + size
        if holds > self.limit - self.held + charged:
            return False
        self.held += size - charged
        self._by_caller[caller] = holds
        return True

    def take(self, caller: str, size: int = 1) -> None:
        """The caller holds so much more."""
        self.held += size
        self._by_caller[caller] = self._by_caller.get(caller, 0) + size

    def release(self, caller: str, size: int = 1) -> None:
        """The caller holds so much less."""
        self.held -= size
        left = self._by_caller[caller] - size
        if left:
            self._by_caller[caller] = left
        else:
            del self._by_caller[caller]
