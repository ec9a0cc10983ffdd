"""What a model server tells of its calls, for whoever counts them; telemetry is plugged in at the composition root."""

from typing import Protocol

from reward_gateway.sample import InvalidCode


class CallObserver(Protocol):
    """Hears of every infer call. Called on the event loop: must be quick and must not raise."""

    def queued(self, model: str, rows: int) -> None:
        """Rows that wait for a call right now."""

    def call_started(self, model: str, rows: int) -> None:
        """A call went out with so many rows."""

    def call_finished(self, model: str, rows: int, seconds: float, outcome: "InvalidCode | str") -> None:
        """It came back: ``ok``, ``cancelled``, or the code of the reason why its rows have no score."""


class Unobserved:
    """Nobody listens."""

    def queued(self, model: str, rows: int) -> None:
        pass

    def call_started(self, model: str, rows: int) -> None:
        pass

    def call_finished(self, model: str, rows: int, seconds: float, outcome: "InvalidCode | str") -> None:
        pass
