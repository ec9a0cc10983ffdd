"""Creates metrics with the common prefix, registry and aggregation over workers."""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from reward_gateway.sample import FloatArray

from . import shared_values

disable_created_metrics()  # type: ignore[no-untyped-call] # an extra series per metric that nobody uses
shared_values.install()

PREFIX = "reward_gateway_"

MetricKind = Literal["counter", "gauge", "histogram"]
GaugeMode = Literal["livemostrecent", "livemax", "livemin", "livesum"]


class MetricDescription(NamedTuple):
    """A metric: its name, what it is, what it says, and the names of its labels."""

    name: str
    kind: MetricKind
    text: str
    labels: tuple[str, ...]


DESCRIBED: dict[str, MetricDescription] = {}
"""Every metric that this process has made, by name."""


class BatchHistogram(Histogram):
    """A histogram that observes a whole array at once."""

    def observe_many(self, values: FloatArray) -> None:
        """Same as ``observe`` for each value; values that are not finite are skipped."""
        bounds = np.asarray(self._upper_bounds)
        places = np.searchsorted(bounds, values[np.isfinite(values)], side="left")
        counts = np.bincount(places, minlength=len(bounds))
        for place in np.flatnonzero(counts).tolist():
            self._buckets[place].inc(int(counts[place]))


class SummedHistogram(Histogram):
    """A histogram with a sum that observes several values at once."""

    def observe_many(self, values: Sequence[float]) -> None:
        """Same as ``observe`` for each value."""
        self._sum.inc(sum(values))
        places = Counts(bisect_left(self._upper_bounds, value) for value in values)
        for place, count in places.items():
            self._buckets[place].inc(count)


class Instruments:
    """Creates metrics in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(self._describe(name, "counter", text, labels), text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> SummedHistogram:
        full = self._describe(name, "histogram", text, labels)
        return SummedHistogram(full, text, labels, buckets=buckets, registry=self._registry)

    def batch_histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> BatchHistogram:
        """A histogram without a sum, for values of either sign, whose sum would not be a counter."""
        full = self._describe(name, "histogram", text, labels)
        return BatchHistogram(full, text, labels, buckets=buckets, registry=self._registry)

    def latest_gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge that cannot be summed; over several live workers, the value that was set last."""
        return self._make_gauge(name, text, labels, "livemostrecent")

    def highest_gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge of which the highest value of all workers counts."""
        return self._make_gauge(name, text, labels, "livemax")

    def lowest_gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge of which the lowest value of all live workers counts."""
        return self._make_gauge(name, text, labels, "livemin")

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge that is summed over the live workers."""
        return self._make_gauge(name, text, labels, "livesum")

    def _make_gauge(self, name: str, text: str, labels: tuple[str, ...], mode: GaugeMode) -> Gauge:
        full = self._describe(name, "gauge", text, labels)
        return Gauge(full, text, labels, registry=self._registry, multiprocess_mode=mode)

    @staticmethod
    def _describe(name: str, kind: MetricKind, text: str, labels: tuple[str, ...]) -> str:
        """The full name of a metric, which is noted among :data:`DESCRIBED`."""
        DESCRIBED[PREFIX + name] = MetricDescription(PREFIX + name, kind, text, labels)
        return PREFIX + name
