"""What requests add to the metrics, written several times a second instead of with every request.

One number in the files that workers share takes some microseconds, and a request changes a dozen: here they are added
up first. A scrape writes what waits in its own process before it reads.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Mapping

from prometheus_client import Counter, Gauge

from .instruments import SummedHistogram

WRITE_S = 0.2
"""Seconds that a number waits at most to be written."""


class Tallies:
    """Numbers that wait to be written; outside an event loop nothing waits."""

    def __init__(self) -> None:
        self._counts: defaultdict[Counter | Gauge, float] = defaultdict(float)
        self._observed: defaultdict[SummedHistogram, list[float]] = defaultdict(list)
        self._levels: dict[Gauge, float] = {}
        self._scheduled = False
        self._lock = threading.Lock()  # a scrape writes in a thread, while the loop goes on counting

    def count(self, metric: Counter | Gauge, amount: float = 1.0) -> None:
        """Add to a counter or a gauge; a gauge may be lowered."""
        with self._lock:
            self._counts[metric] += amount
        if not self._scheduled:
            self._schedule()

    def observe(self, histogram: SummedHistogram, value: float) -> None:
        """Add one observation to a histogram."""
        with self._lock:
            self._observed[histogram].append(value)
        if not self._scheduled:
            self._schedule()

    def set(self, levels: Mapping[Gauge, float]) -> None:
        """Set gauges; of several values that wait, the last one is written."""
        with self._lock:
            self._levels.update(levels)
        if not self._scheduled:
            self._schedule()

    def write(self) -> None:
        """Write all that waits."""
        with self._lock:
            counts, observed, levels = self._counts, self._observed, self._levels
            self._counts, self._observed, self._levels = defaultdict(float), defaultdict(list), {}
            self._scheduled = False
        for metric, amount in counts.items():
            metric.inc(amount)
        for histogram, values in observed.items():
            histogram.observe_many(values)
        for gauge, value in levels.items():
            gauge.set(value)

    def _schedule(self) -> None:
        try:
            asyncio.get_running_loop().call_later(WRITE_S, self.write)
        except RuntimeError:  # no loop is running
            self.write()
        else:
            self._scheduled = True
