"""How a metric of ours is made: the prefix, the registry and the way that workers are summed, in one place."""

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from reward_gateway.sample import FloatArray

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody asks for

PREFIX = "reward_gateway_"


class BatchHistogram(Histogram):
    """A histogram that counts an array at once."""

    def observe_many(self, values: FloatArray) -> None:
        """As ``observe`` of each value; those that are not finite are left out."""
        bounds = np.asarray(self._upper_bounds)
        places = np.searchsorted(bounds, values[np.isfinite(values)], side="left")
        counts = np.bincount(places, minlength=len(bounds))
        for place in np.flatnonzero(counts).tolist():
            self._buckets[place].inc(int(counts[place]))


class Instruments:
    """Makes metrics in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self._registry)

    def batch_histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> BatchHistogram:
        """A histogram of numbers on either side of 0, which has no sum: it would be no counter."""
        return BatchHistogram(PREFIX + name, text, labels, buckets=buckets, registry=self._registry)

    def latest_gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A value of now that cannot be added up; of several workers that live, the one that was set last."""
        return Gauge(PREFIX + name, text, labels, registry=self._registry, multiprocess_mode="livemostrecent")

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A value of now; over several workers the sum of those that live."""
        return Gauge(PREFIX + name, text, labels, registry=self._registry, multiprocess_mode="livesum")
