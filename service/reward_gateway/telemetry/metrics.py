"""Every metric, by name. Prometheus text; ``reward_gateway_<noun>_<unit>``; seconds and plain counts.

With several workers (``PROMETHEUS_MULTIPROC_DIR`` set before the first import) each process writes its own
files and a scrape of any worker gives the sum over all.
"""

import os
from pathlib import Path
from typing import get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from reward_gateway.sample import FloatArray, InvalidCode, Scored

from .buckets import DURATION_S
from .cache_metrics import CacheMetrics
from .instruments import Instruments
from .labels import Names
from .media_metrics import MediaMetrics
from .model_metrics import ModelMetrics
from .observations import ScoredPlan
from .reward_metrics import RewardMetrics
from .shadow_metrics import ShadowMetrics

CONTENT_TYPE = CONTENT_TYPE_LATEST
_MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The metrics of one process: the observer of the edges, the gate and the dataplane.

    Attributes:
        calls: the observer of model calls.
        cache: the observer of the cache.
        media: the observer of fetched images.
        shadow: the observer of experiments.
        health: the observer of what was scored: distributions, drift, and the monitor's windows.
        models, rewards, components, flags, experiments: the label values that are known; whoever joins the parts
            teaches them (``metrics.rewards.register(book.plans)``). What is not known is counted as ``other``.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        if _MULTIPROC not in os.environ:
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=self.registry)
        make = Instruments(self.registry)
        self.models, self.rewards, self.components, self.flags = Names(), Names(), Names(), Names()
        self._codes = Names(get_args(InvalidCode))
        self.calls = ModelMetrics(make, self.models)
        self.cache = CacheMetrics(make)
        self.media = MediaMetrics(make)
        self.experiments = Names()
        self.shadow = ShadowMetrics(make, self.experiments)
        shared = os.environ.get(_MULTIPROC)
        self.health = RewardMetrics(
            make, self.rewards, self.components, self.flags, Path(shared) if shared is not None else None
        )

        self._requests = make.counter("requests_total", "Requests answered.", "protocol", "route", "status")
        self._durations = make.histogram(
            "request_duration_seconds", "From a request's arrival to its answer.", DURATION_S, "protocol", "route"
        )
        self._in_flight = make.gauge("requests_in_flight", "Requests under way, past the gate.")
        self._queued = make.gauge("requests_queued", "Requests that wait for a place.")
        self._rejected = make.counter("admission_rejected_total", "Requests turned away at the gate.", "reason")
        self._unauthorized = make.counter("requests_unauthorized_total", "Requests refused for their key.", "reason")

        self._samples = make.counter("samples_total", "Samples answered.", "reward")
        self._invalid = make.counter("samples_invalid_total", "Samples without a score.", "code")
        self._flags = make.counter("sample_flags_total", "Flags that guards and models raised.", "guard")

    # The edges

    def request(self, protocol: str, route: str, status: str, seconds: float) -> None:
        """One answered request. ``route`` is a template or a method's name, never a path as sent."""
        self._requests.labels(protocol, route, status).inc()
        self._durations.labels(protocol, route).observe(seconds)

    def unauthorized(self, reason: str) -> None:
        """A request refused for its key: the code of the error."""
        self._unauthorized.labels(reason).inc()

    # The gate (traffic.admission.AdmissionObserver)

    def admission_changed(self, in_flight: int, queued: int) -> None:
        self._in_flight.set(in_flight)
        self._queued.set(queued)

    def admission_rejected(self, reason: str) -> None:
        self._rejected.labels(reason).inc()

    # The dataplane (gateway.ScoringObserver)

    def scored(self, plan: ScoredPlan | None, scored: Scored, lengths: FloatArray | None = None) -> None:
        """One scored batch. ``lengths``: characters of its responses [n], NaN where there is none."""
        self.health.scored(plan, scored, lengths)
        self._samples.labels(self.rewards.of(scored.recipe)).inc(len(scored.reward))
        for reason in scored.invalid.values():
            self._invalid.labels(self._codes.of(reason.code)).inc()
        for names in scored.flags.values():
            for name in names:
                self._flags.labels(self.flags.of(name)).inc()

    # The page

    def render(self) -> bytes:
        """Prometheus text; over all workers where there are several."""
        self.health.refresh()
        if _MULTIPROC not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        return generate_latest(everybody)
