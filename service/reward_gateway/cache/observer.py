"""What a cache tells of itself, for whoever counts it; telemetry is plugged in at the composition root."""

from typing import Literal, Protocol

Level = Literal["memory", "redis"]
Operation = Literal["get", "put"]
ErrorKind = Literal["timeout", "connection", "auth", "loading", "full", "read_only", "response", "other"]
BreakerState = Literal["closed", "half_open", "open"]


class CacheObserver(Protocol):
    """Hears of every lookup and write. Called on the event loop: must be quick and must not raise."""

    def looked_up(self, level: Level, hits: int, misses: int, seconds: float | None) -> None:
        """A lookup ended; keys that could not be looked up count as misses.

        ``seconds`` is None where the store was not asked, because its breaker is open: no duration of a call.
        """

    def corrupt(self, entries: int) -> None:
        """Values that were found and could not be read; they count as misses."""

    def failed(self, operation: Operation, kind: ErrorKind) -> None:
        """The store could not be asked or refused a write."""

    def written(self, entries: int, seconds: float) -> None:
        """Entries that were stored."""

    def dropped(self, entries: int) -> None:
        """Entries that were not stored: too many wait already, or the store is left alone or refused them."""

    def breaker(self, state: BreakerState) -> None:
        """The breaker changed its state."""


class Unobserved:
    """Nobody listens."""

    def looked_up(self, level: Level, hits: int, misses: int, seconds: float | None) -> None:
        pass

    def corrupt(self, entries: int) -> None:
        pass

    def failed(self, operation: Operation, kind: ErrorKind) -> None:
        pass

    def written(self, entries: int, seconds: float) -> None:
        pass

    def dropped(self, entries: int) -> None:
        pass

    def breaker(self, state: BreakerState) -> None:
        pass
