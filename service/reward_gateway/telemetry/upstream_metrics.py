"""Metrics of calls to the replicas of upstreams."""

from typing import get_args

from reward_gateway.observer import BreakerState
from reward_gateway.sample import InvalidCode

from .buckets import DURATION_S
from .instruments import Instruments
from .labels import Names


class UpstreamMetrics:
    """Counts every call. Upstreams and replicas are named by the operator's file, so that there are few of them.

    Replicas behind one name of the DNS have numbers in place of their addresses, which come and go.
    """

    def __init__(self, make: Instruments) -> None:
        self._outcomes = Names(("ok", "cancelled", *get_args(InvalidCode)))
        labels = "upstream", "replica"
        self._calls = make.counter("upstream_calls_total", "Calls of upstreams' replicas.", *labels, "outcome")
        self._rows = make.counter("upstream_rows_total", "Rows sent in calls of upstreams' replicas.", *labels)
        self._seconds = make.histogram(
            "upstream_call_duration_seconds", "Latency of calls of upstreams' replicas.", DURATION_S, *labels
        )
        self._in_flight = make.gauge("upstream_calls_in_flight", "Calls of upstreams' replicas in flight.", *labels)
        self._breaker = make.gauge(
            "upstream_breaker_open", "Workers whose circuit breaker for a replica is open.", *labels
        )

    def count_started(self, upstream: str, replica: str, rows: int) -> None:
        self._in_flight.labels(upstream, replica).inc()
        self._rows.labels(upstream, replica).inc(rows)

    def count_finished(self, upstream: str, replica: str, seconds: float, outcome: str) -> None:
        self._in_flight.labels(upstream, replica).dec()
        self._calls.labels(upstream, replica, self._outcomes.known_or_other(outcome)).inc()
        self._seconds.labels(upstream, replica).observe(seconds)

    def set_breaker(self, upstream: str, replica: str, state: BreakerState) -> None:
        """Set the gauge, which is 0 while the replica gets calls."""
        self._breaker.labels(upstream, replica).set(0 if state == "closed" else 1)
