"""Exemplars: the id of a recent trace beside each bucket of a histogram, so that a slow request is found from a chart.

prometheus_client keeps none where several workers share their metrics. Here each process keeps its own, and whoever
answers a scrape gives those that it has.
"""

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from .buckets import DURATION_S
from .instruments import PREFIX

_Series = tuple[str, frozenset[tuple[str, str]]]
_BOUNDS = (*DURATION_S, math.inf)


class Exemplars:
    """The latest exemplar of each bucket of histograms of durations.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: dict[_Series, dict[float, Exemplar]] = {}

    def keep(self, name: str, labels: Mapping[str, str], value: float, trace_id: str) -> None:
        """Keep the trace of an observation as its bucket's exemplar."""
        bound = _BOUNDS[bisect_left(_BOUNDS, value)]
        series = f"{PREFIX}{name}_bucket", frozenset(labels.items())
        exemplar = Exemplar({"trace_id": trace_id}, value, round(self._clock(), 3))
        self._kept.setdefault(series, {})[bound] = exemplar

    def attach_to(self, registry: CollectorRegistry) -> Collector:
        """The metrics of a registry, with the exemplars beside their buckets."""
        return _Exemplified(registry, self._attach) if self._kept else registry

    def _attach(self, sample: Sample) -> Sample:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        found = self._kept.get((sample.name, frozenset(labels.items())))
        exemplar = found.get(float(sample.labels["le"])) if found is not None else None
        return sample if exemplar is None else sample._replace(exemplar=exemplar)


class _Exemplified(Collector):
    def __init__(self, registry: CollectorRegistry, attach: Callable[[Sample], Sample]) -> None:
        self._registry, self._attach = registry, attach

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            if metric.type == "histogram":
                metric.samples = [self._attach(s) if "le" in s.labels else s for s in metric.samples]
            yield metric
