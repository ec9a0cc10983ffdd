"""How a metric of ours is made: the prefix, the registry and the way that workers are summed, in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody asks for

PREFIX = "reward_gateway_"


class Instruments:
    """Makes metrics in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A value of now; over several workers the sum of those that live."""
        return Gauge(PREFIX + name, text, labels, registry=self._registry, multiprocess_mode="livesum")
