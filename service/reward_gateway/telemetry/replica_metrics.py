"""Metrics of calls to the replicas of upstreams and of judges."""

from typing import get_args

from reward_gateway.observer import BreakerState, ReplicaKind
from reward_gateway.sample import InvalidCode

from .buckets import DURATION_S
from .instruments import Instruments
from .labels import Names


class ReplicaMetrics:
    """Counts every call to the replicas of upstreams, or to those of judges.

    They are named by the operator's files, so that there are few of them. Replicas behind one name of the DNS have
    numbers in place of their addresses, which come and go.
    """

    def __init__(self, make: Instruments, kind: ReplicaKind) -> None:
        self._outcomes = Names(("ok", "cancelled", *get_args(InvalidCode)))
        self._calls = make.counter(f"{kind}_calls_total", f"Calls of {kind}s' replicas.", kind, "replica", "outcome")
        self._seconds = make.histogram(
            f"{kind}_call_duration_seconds", f"Latency of calls of {kind}s' replicas.", DURATION_S, kind, "replica"
        )
        self._in_flight = make.gauge(
            f"{kind}_calls_in_flight", f"Calls of {kind}s' replicas in flight.", kind, "replica"
        )
        self._breaker = make.gauge(
            f"{kind}_breaker_open", "Workers whose circuit breaker for a replica is open.", kind, "replica"
        )

    def count_started(self, name: str, replica: str) -> None:
        self._in_flight.labels(name, replica).inc()

    def count_finished(self, name: str, replica: str, seconds: float, outcome: str) -> None:
        self._in_flight.labels(name, replica).dec()
        self._calls.labels(name, replica, self._outcomes.known_or_other(outcome)).inc()
        self._seconds.labels(name, replica).observe(seconds)

    def set_breaker(self, name: str, replica: str, state: BreakerState) -> None:
        """Set the gauge, which is 0 while the replica gets calls."""
        self._breaker.labels(name, replica).set(0 if state == "closed" else 1)
