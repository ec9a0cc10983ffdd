"""Metrics of the cache of raw scores: lookups, writes, failures and latency."""

from functools import cache

from reward_gateway.observer import BreakerState, CacheFault, CacheLevel, CacheOperation

from .buckets import DURATION_S
from .instruments import Instruments
from .tallies import Tallies


class CacheMetrics:
    """Counts lookups, writes and failures."""

    def __init__(self, make: Instruments, tallies: Tallies) -> None:
        self._tallies = tallies
        self._lookups = cache(make.counter("cache_lookups_total", "Raw scores looked up.", "level", "result").labels)
        self._seconds = cache(
            make.histogram(
                "cache_call_duration_seconds", "Latency of calls to the cache.", DURATION_S, "level", "operation"
            ).labels
        )
        self._errors = make.counter("cache_errors_total", "Failed calls to the cache.", "operation", "kind")
        self._corrupt = make.counter("cache_corrupt_total", "Cache entries that could not be decoded.")
        self._written = make.counter("cache_writes_total", "Raw scores written to the cache.")
        self._dropped = make.counter("cache_writes_dropped_total", "Raw scores that were not written to the cache.")
        self._breaker = make.gauge("cache_breaker_open", "Workers whose circuit breaker for the cache is open.")

    def count_lookups(self, level: CacheLevel, hits: int, misses: int, seconds: float | None) -> None:
        self._tallies.count(self._lookups(level, "hit"), hits)
        self._tallies.count(self._lookups(level, "miss"), misses)
        if seconds is not None:
            self._tallies.observe(self._seconds(level, "get"), seconds)

    def count_corrupt(self, entries: int) -> None:
        self._corrupt.inc(entries)

    def count_failure(self, operation: CacheOperation, fault: CacheFault) -> None:
        self._errors.labels(operation, fault).inc()

    def count_written(self, entries: int, seconds: float) -> None:
        self._tallies.count(self._written, entries)
        self._tallies.observe(self._seconds("redis", "put"), seconds)

    def count_dropped(self, entries: int) -> None:
        self._dropped.inc(entries)

    def set_breaker(self, state: BreakerState) -> None:
        """Set the gauge; ``half_open``, while one call tests the store, counts as open."""
        self._breaker.set(0 if state == "closed" else 1)
