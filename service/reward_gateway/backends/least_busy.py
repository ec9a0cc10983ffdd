"""Which of several servers gets a call: the one with the fewest calls in flight, in turn among equals."""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar


class Server(Protocol):
    """A server that may be called, or not now."""

    @property
    def in_flight(self) -> int:
        """Calls that are not answered yet."""

    def begin(self) -> int | None:
        """A ticket for a call; None if it is not called now."""


S = TypeVar("S", bound=Server)


class LeastBusy:
    """Chooses servers."""

    def __init__(self) -> None:
        self._turn = 0

    def choose(self, servers: Sequence[S], tried: Collection[S] = ()) -> tuple[S, int] | None:
        """A server and its ticket; None if none but those that were tried is called now."""
        self._turn += 1
        start = self._turn % max(1, len(servers))
        rotated = [*servers[start:], *servers[:start]]
        for server in sorted(rotated, key=lambda server: server.in_flight):
            if server not in tried and (ticket := server.begin()) is not None:
                return server, ticket
        return None
