"""Statistics of the recipes served by this process, in Triton's format."""

import time
from dataclasses import dataclass, field

from tritonclient.grpc import service_pb2

from .models import VERSION


@dataclass(slots=True)
class Duration:
    """A count, and the total duration in nanoseconds."""

    count: int = 0
    ns: int = 0

    def add_duration(self, ns: int) -> None:
        self.count += 1
        self.ns += ns

    def encode_duration(self) -> "service_pb2.StatisticDuration":
        """As the protocol's message."""
        return service_pb2.StatisticDuration(count=self.count, ns=self.ns)


@dataclass(slots=True)
class ModelCounts:
    """Counts of one model: ``executions`` are requests, ``inferences`` samples."""

    inferences: int = 0
    executions: int = 0
    last_ms: int = 0
    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    reading: Duration = field(default_factory=Duration)
    scoring: Duration = field(default_factory=Duration)
    writing: Duration = field(default_factory=Duration)

    def add_success(self, samples: int, reading_ns: int, scoring_ns: int, writing_ns: int) -> None:
        """Count an answered request."""
        self.inferences += samples
        self.executions += 1
        self.last_ms = time.time_ns() // 1_000_000
        self.success.add_duration(reading_ns + scoring_ns + writing_ns)
        self.reading.add_duration(reading_ns)
        self.scoring.add_duration(scoring_ns)
        self.writing.add_duration(writing_ns)

    def add_failure(self, ns: int) -> None:
        """Count a failed request."""
        self.fail.add_duration(ns)

    def encode_statistics(self, name: str) -> "service_pb2.ModelStatistics":
        """As the protocol's message; the queue time is always 0, as the gateway has no queue of its own."""
        return service_pb2.ModelStatistics(
            name=name,
            version=VERSION,
            last_inference=self.last_ms,
            inference_count=self.inferences,
            execution_count=self.executions,
            inference_stats=service_pb2.InferStatistics(
                success=self.success.encode_duration(),
                fail=self.fail.encode_duration(),
                queue=service_pb2.StatisticDuration(count=self.success.count),
                compute_input=self.reading.encode_duration(),
                compute_infer=self.scoring.encode_duration(),
                compute_output=self.writing.encode_duration(),
            ),
        )
