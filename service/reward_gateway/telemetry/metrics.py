"""Every metric, by name. Prometheus text; ``reward_gateway_<noun>_<unit>``; seconds and plain counts.

With several workers (``PROMETHEUS_MULTIPROC_DIR`` set before the first import) each process writes its own
files and a scrape of any worker gives the sum over all.
"""

import os
from typing import get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from reward_gateway.sample import InvalidCode, Scored

from .buckets import DURATION_S, ROWS
from .labels import Names

CONTENT_TYPE = CONTENT_TYPE_LATEST
_OUTCOMES = ("ok", "cancelled", *get_args(InvalidCode))
_MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The metrics of one process. Also the observer of the gate, the dataplane, the model calls and the cache."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        if _MULTIPROC not in os.environ:
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)
            GCCollector(registry=registry)

        self.models, self.rewards, self.flags = Names(), Names(), Names()
        self._codes, self._outcomes = Names(get_args(InvalidCode)), Names(_OUTCOMES)
        self._fault_kinds = Names(("timeout", "connection", "response", "corrupt", "full"))

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"reward_gateway_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"reward_gateway_{name}", text, labels, buckets=buckets, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"reward_gateway_{name}", text, labels, registry=registry, multiprocess_mode="livesum")

        self._requests = counter("requests_total", "Requests answered.", "protocol", "route", "status")
        self._durations = histogram(
            "request_duration_seconds", "From the first byte of a request to the last of its answer.",
            DURATION_S, "protocol", "route",
        )  # fmt: skip
        self._in_flight = gauge("requests_in_flight", "Requests under way, past the gate.")
        self._queued = gauge("requests_queued", "Requests that wait for a place.")
        self._rejected = counter("admission_rejected_total", "Requests turned away at the gate.", "reason")
        self._unauthorized = counter("requests_unauthorized_total", "Requests refused for their key.", "reason")

        self._samples = counter("samples_total", "Samples answered.", "reward")
        self._invalid = counter("samples_invalid_total", "Samples without a score.", "code")
        self._flags = counter("sample_flags_total", "Flags that guards and models raised.", "guard")

        self._lookups = counter("cache_lookups_total", "Lookups of raw scores.", "result")
        self._cache_faults = counter("cache_errors_total", "Calls of the cache that failed.", "kind")
        self._cache_dropped = counter("cache_writes_dropped_total", "Raw scores that were not remembered.")
        self._breaker = gauge("cache_breaker_open", "Workers that leave the cache alone for now.")

        self._calls = counter("model_calls_total", "Infer calls.", "model", "outcome")
        self._rows = counter("model_rows_total", "Rows sent in infer calls.", "model")
        self._call_rows = histogram("model_call_rows", "Rows an infer call, after coalescing.", ROWS, "model")
        self._call_durations = histogram("model_call_duration_seconds", "Infer calls.", DURATION_S, "model")
        self._calls_in_flight = gauge("model_calls_in_flight", "Infer calls under way.", "model")
        self._rows_queued = gauge("model_rows_queued", "Rows that wait for an infer call.", "model")

    # The edges

    def request(self, protocol: str, route: str, status: str, seconds: float) -> None:
        """One answered request. ``route`` is a template or a method's name, never a path as sent."""
        self._requests.labels(protocol, route, status).inc()
        self._durations.labels(protocol, route).observe(seconds)

    def unauthorized(self, reason: str) -> None:
        self._unauthorized.labels(reason).inc()

    # The gate (traffic.admission.AdmissionObserver)

    def admission_changed(self, in_flight: int, queued: int) -> None:
        self._in_flight.set(in_flight)
        self._queued.set(queued)

    def admission_rejected(self, reason: str) -> None:
        self._rejected.labels(reason).inc()

    # The dataplane

    def scored(self, plan: object, scored: Scored) -> None:
        """One scored batch."""
        self._samples.labels(self.rewards.of(scored.recipe)).inc(len(scored.reward))
        for reason in scored.invalid.values():
            self._invalid.labels(self._codes.of(reason.code)).inc()
        for names in scored.flags.values():
            for name in names:
                self._flags.labels(self.flags.of(name)).inc()

    # Model calls (backends.observer.CallObserver)

    def queued(self, model: str, rows: int) -> None:
        """Rows that wait for a call right now."""
        self._rows_queued.labels(self.models.of(model)).set(rows)

    def call_started(self, model: str, rows: int) -> None:
        name = self.models.of(model)
        self._calls_in_flight.labels(name).inc()
        self._rows.labels(name).inc(rows)
        self._call_rows.labels(name).observe(rows)

    def call_finished(self, model: str, rows: int, seconds: float, outcome: str) -> None:
        name = self.models.of(model)
        self._calls_in_flight.labels(name).dec()
        self._calls.labels(name, self._outcomes.of(outcome)).inc()
        self._call_durations.labels(name).observe(seconds)

    # The cache

    def cache_lookup(self, hits: int, misses: int) -> None:
        self._lookups.labels("hit").inc(hits)
        self._lookups.labels("miss").inc(misses)

    def cache_fault(self, kind: str) -> None:
        self._cache_faults.labels(self._fault_kinds.of(kind)).inc()

    def cache_dropped(self, entries: int) -> None:
        self._cache_dropped.inc(entries)

    def breaker(self, open: bool) -> None:
        self._breaker.set(1 if open else 0)

    # The page

    def render(self) -> bytes:
        """Prometheus text; over all workers where there are several."""
        if _MULTIPROC not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        return generate_latest(everybody)
