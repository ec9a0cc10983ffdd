"""What the cache of raw scores gives and costs."""

from reward_gateway.observer import BreakerState, CacheFault, CacheLevel, CacheOperation

from .buckets import DURATION_S
from .instruments import Instruments


class CacheMetrics:
    """Counts every lookup and write."""

    def __init__(self, make: Instruments) -> None:
        self._lookups = make.counter("cache_lookups_total", "Raw scores that were looked up.", "level", "result")
        self._seconds = make.histogram(
            "cache_call_duration_seconds", "Calls of the cache.", DURATION_S, "level", "operation"
        )
        self._errors = make.counter("cache_errors_total", "Calls of the cache that failed.", "operation", "kind")
        self._corrupt = make.counter("cache_corrupt_total", "Entries that could not be read.")
        self._written = make.counter("cache_writes_total", "Raw scores that were remembered.")
        self._dropped = make.counter("cache_writes_dropped_total", "Raw scores that were not remembered.")
        self._breaker = make.gauge("cache_breaker_open", "Workers that leave the cache alone for now.")

    def count_lookups(self, level: CacheLevel, hits: int, misses: int, seconds: float | None) -> None:
        self._lookups.labels(level, "hit").inc(hits)
        self._lookups.labels(level, "miss").inc(misses)
        if seconds is not None:
            self._seconds.labels(level, "get").observe(seconds)

    def count_corrupt(self, entries: int) -> None:
        self._corrupt.inc(entries)

    def count_failure(self, operation: CacheOperation, fault: CacheFault) -> None:
        self._errors.labels(operation, fault).inc()

    def count_written(self, entries: int, seconds: float) -> None:
        self._written.inc(entries)
        self._seconds.labels("redis", "put").observe(seconds)

    def count_dropped(self, entries: int) -> None:
        self._dropped.inc(entries)

    def set_breaker(self, state: BreakerState) -> None:
        """``half_open``, while one call tries the store, is still left alone."""
        self._breaker.set(0 if state == "closed" else 1)
