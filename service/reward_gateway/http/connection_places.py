"""The connections of one process: how many there may be, and which is closed for another one.

A connection without a request, new or kept open, only waits. When all places are taken, the one that has waited longest
makes room, so that connections which do nothing keep nobody out. If every connection has a request, a few more places
are left for health checks.
"""

from typing import Protocol

from reward_gateway.observer import UNOBSERVED, Observer

RESERVED = 32
"""Places for health checks, beyond those for work."""

HEAD_BYTES = 16 << 20
"""Maximum bytes of headers that are not complete, over all connections."""


class Waiting(Protocol):
    """A connection, to those who count them."""

    def make_room(self) -> None:
        """Close, as another connection needs the place."""


class ConnectionPlaces:
    """Counts the connections of one process, and closes those that wait when places or memory run out.

    Args:
        limit: maximum connections at work; there are :data:`RESERVED` more for health checks.
    """

    def __init__(self, limit: int, observer: Observer = UNOBSERVED) -> None:
        self.limit = limit
        self._observer = observer
        self._open: set[Waiting] = set()
        self._waiting: dict[Waiting, None] = {}  # the one that waits longest first
        self._heads: dict[Waiting, int] = {}
        self._head_bytes = 0

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._open)

    @property
    def full(self) -> bool:
        """True while more connections are open than may be at work."""
        return len(self._open) > self.limit

    def enter(self, connection: Waiting) -> bool:
        """Count a new connection, which waits for its first request. False if there is no place for it at all."""
        if len(self._open) >= self.limit and self._waiting:
            self._evict(next(iter(self._waiting)))
        elif len(self._open) >= self.limit + RESERVED:
            return False
        self._open.add(connection)
        self._observer.connections_changed(len(self._open))
        self._waiting[connection] = None
        return True

    def leave(self, connection: Waiting) -> None:
        """A connection is closed."""
        self.work(connection)
        self._open.discard(connection)
        self._observer.connections_changed(len(self._open))

    def wait(self, connection: Waiting) -> None:
        """The connection has no request from now on."""
        self._waiting[connection] = None

    def work(self, connection: Waiting) -> None:
        """The connection has a request from now on."""
        self._waiting.pop(connection, None)
        if connection in self._heads:
            self._head_bytes -= self._heads.pop(connection)

    def hold_head(self, connection: Waiting, size: int) -> None:
        """So many bytes of headers have arrived, and they are not complete."""
        self._head_bytes += size - self._heads.get(connection, 0)
        self._heads[connection] = size
        while self._head_bytes > HEAD_BYTES:
            self._evict(next(iter(self._heads)))

    def _evict(self, connection: Waiting) -> None:
        self.leave(connection)
        connection.make_room()
