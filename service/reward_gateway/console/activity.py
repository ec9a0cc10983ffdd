"""What the gateway did in the last hour: requests, samples, hits and errors, from the counters of its metrics.

The counters are those of all workers of this machine, which share them; each worker notes them twice a minute. No
request waits for it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from prometheus_client.samples import Sample

from reward_gateway.tasks import end_task, repeat
from reward_gateway.telemetry.instruments import PREFIX
from reward_gateway.telemetry.metrics import Metrics

EVERY_S = 30.0
KEPT = 121
"""Notes that are kept: an hour."""

_FAILED_CALLS = frozenset({"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED"})
"""Statuses of gRPC that stand for those of HTTP from 500 on."""

_NOT_COUNTED = frozenset({"/", "/livez", "/readyz", "/health", "/v2/health/live", "/v2/health/ready", "/metrics"})


class Totals(NamedTuple):
    """The counters at one moment, and the difference of two."""

    at: float
    requests: float = 0.0
    errors: float = 0.0
    samples: float = 0.0
    hits: float = 0.0
    misses: float = 0.0

    def since(self, before: "Totals") -> "Totals":
        return Totals(*(now - then for now, then in zip(self, before, strict=True)))

    @property
    def hit_share(self) -> float | None:
        """Share of the looked up scores that were cached; None: none was looked up."""
        looked_up = self.hits + self.misses
        return self.hits / looked_up if looked_up else None


class Activity:
    """The notes of the last hour.

    Args:
        clock: seconds, which only go forward.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._notes: deque[Totals] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Note the counters now and again."""
        self._task = asyncio.create_task(repeat(self.note, EVERY_S, "console-activity"), name="console-activity")

    async def close(self) -> None:
        await end_task(self._task)

    async def note(self) -> None:
        """Note the counters now."""
        counters = ("requests_total", "samples_total", "cache_lookups_total")
        samples = await asyncio.to_thread(self._metrics.read_counters, *counters)
        self._notes.append(sum_counters(self._clock(), samples))

    @property
    def steps(self) -> list[Totals]:
        """What was counted between one note and the next, oldest first; ``at`` is how many seconds that took."""
        notes = list(self._notes)
        return [after.since(before) for before, after in pairwise(notes)]

    @property
    def is_of_all_workers(self) -> bool:
        return self._metrics.is_shared


def sum_counters(at: float, samples: list[Sample]) -> Totals:
    """The totals of some counters. What the console itself and probes ask for does not count."""
    requests = errors = scored = 0.0
    lookups: dict[tuple[str, str], float] = {}
    for sample in samples:
        labels = sample.labels
        match sample.name.removeprefix(PREFIX):
            case "requests_total":
                route, status = labels["route"], labels["status"]
                if route not in _NOT_COUNTED and not route.startswith("/console"):
                    requests += sample.value
                    errors += sample.value if status >= "500" and (status[0] == "5" or status in _FAILED_CALLS) else 0.0
            case "samples_total":
                scored += sample.value
            case "cache_lookups_total":
                place = labels["level"], labels["result"]
                lookups[place] = lookups.get(place, 0.0) + sample.value
    hits = sum(value for (_, result), value in lookups.items() if result == "hit")
    misses = [value for (_, result), value in lookups.items() if result == "miss"]
    return Totals(at, requests, errors, scored, hits, min(misses, default=0.0))
