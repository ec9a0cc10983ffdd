"""What a virtual model has done in this process, in the form in which Triton tells it of its own."""

import time
from dataclasses import dataclass, field

from tritonclient.grpc import service_pb2

from .models import VERSION


@dataclass(slots=True)
class Duration:
    """How often, and how long together."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        self.count += 1
        self.ns += ns

    def message(self) -> "service_pb2.StatisticDuration":
        """As the protocol says it."""
        return service_pb2.StatisticDuration(count=self.count, ns=self.ns)


@dataclass(slots=True)
class ModelCounts:
    """Counts of one model. An execution is a request; an inference is a sample."""

    inferences: int = 0
    executions: int = 0
    last_ms: int = 0
    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    reading: Duration = field(default_factory=Duration)
    scoring: Duration = field(default_factory=Duration)
    writing: Duration = field(default_factory=Duration)

    def succeeded(self, samples: int, reading_ns: int, scoring_ns: int, writing_ns: int) -> None:
        """A request was answered."""
        self.inferences += samples
        self.executions += 1
        self.last_ms = time.time_ns() // 1_000_000
        self.success.add(reading_ns + scoring_ns + writing_ns)
        self.reading.add(reading_ns)
        self.scoring.add(scoring_ns)
        self.writing.add(writing_ns)

    def failed(self, ns: int) -> None:
        """A request was refused."""
        self.fail.add(ns)

    def message(self, name: str) -> "service_pb2.ModelStatistics":
        """As the protocol says it; the gateway keeps no queue of its own behind its gate."""
        return service_pb2.ModelStatistics(
            name=name,
            version=VERSION,
            last_inference=self.last_ms,
            inference_count=self.inferences,
            execution_count=self.executions,
            inference_stats=service_pb2.InferStatistics(
                success=self.success.message(),
                fail=self.fail.message(),
                queue=service_pb2.StatisticDuration(count=self.success.count),
                compute_input=self.reading.message(),
                compute_infer=self.scoring.message(),
                compute_output=self.writing.message(),
            ),
        )
