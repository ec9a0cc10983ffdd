"""Metrics of calls to the replicas of upstreams, of judges and of models on Triton."""

from functools import cache
from typing import get_args

from reward_gateway.observer import BreakerState, ReplicaKind
from reward_gateway.sample import InvalidCode

from .buckets import DURATION_S
from .instruments import Instruments
from .labels import Names
from .tallies import Tallies

LABELS: dict[ReplicaKind, tuple[str, str]] = {
    "upstream": ("upstream", "replica"),
    "judge": ("judge", "replica"),
    "triton": ("model", "server"),
}
"""What is called, and the label of the server that answers."""

WHOSE: dict[ReplicaKind, str] = {
    "upstream": "upstreams' replicas",
    "judge": "judges' replicas",
    "triton": "models on each Triton server",
}


class ReplicaMetrics:
    """Counts every call to the replicas of upstreams, to those of judges, or to models on Triton servers.

    They are named by the operator's files, so that there are few of them. Replicas behind one name of the DNS have
    numbers in place of their addresses, which come and go.
    """

    def __init__(self, make: Instruments, kind: ReplicaKind, tallies: Tallies) -> None:
        labels, whose = LABELS[kind], WHOSE[kind]
        self._tallies = tallies
        self._outcomes = Names(("ok", "cancelled", *get_args(InvalidCode)))
        self._calls = cache(make.counter(f"{kind}_calls_total", f"Calls of {whose}.", *labels, "outcome").labels)
        self._seconds = cache(
            make.histogram(f"{kind}_call_duration_seconds", f"Latency of calls of {whose}.", DURATION_S, *labels).labels
        )
        self._in_flight = cache(make.gauge(f"{kind}_calls_in_flight", f"Calls of {whose} in flight.", *labels).labels)
        self._breaker = make.gauge(f"{kind}_breaker_open", f"Workers whose circuit breaker is open: {whose}.", *labels)

    def count_started(self, name: str, replica: str) -> None:
        self._tallies.count(self._in_flight(name, replica))

    def count_finished(self, name: str, replica: str, seconds: float, outcome: str) -> None:
        self._tallies.count(self._in_flight(name, replica), -1)
        self._tallies.count(self._calls(name, replica, self._outcomes.known_or_other(outcome)))
        self._tallies.observe(self._seconds(name, replica), seconds)

    def set_breaker(self, name: str, replica: str, state: BreakerState) -> None:
        """Set the gauge, which is 0 while the replica gets calls."""
        self._breaker.labels(name, replica).set(0 if state == "closed" else 1)
