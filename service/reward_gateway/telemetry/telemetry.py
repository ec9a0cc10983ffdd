"""Metrics and traces of one process."""

from dataclasses import dataclass, field
from typing import Self

from reward_gateway.settings import Settings

from .logs import configure_logging
from .metrics import Metrics
from .traces import Tracer, configure_tracing


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The metrics and the tracer of a process."""

    metrics: Metrics = field(default_factory=Metrics)
    tracer: Tracer = field(default_factory=Tracer)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Build from the settings; also sets up logging for the process."""
        configure_logging(settings)
        return cls(Metrics(), configure_tracing(settings))

    def close(self) -> None:
        self.metrics.write()
        self.tracer.close()
