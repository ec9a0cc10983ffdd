"""What the cache of raw scores gives and costs: the observer that the cache reports to."""

from .buckets import DURATION_S
from .instruments import Instruments
from .labels import Names

_KINDS = ("timeout", "connection", "auth", "loading", "full", "read_only", "response", "other")


class CacheMetrics:
    """Hears of every lookup and write."""

    def __init__(self, make: Instruments) -> None:
        self._levels, self._operations, self._kinds = Names(("memory", "redis")), Names(("get", "put")), Names(_KINDS)
        self._lookups = make.counter("cache_lookups_total", "Raw scores that were looked up.", "level", "result")
        self._seconds = make.histogram(
            "cache_call_duration_seconds", "Calls of the cache.", DURATION_S, "level", "operation"
        )
        self._errors = make.counter("cache_errors_total", "Calls of the cache that failed.", "operation", "kind")
        self._corrupt = make.counter("cache_corrupt_total", "Entries that could not be read.")
        self._written = make.counter("cache_writes_total", "Raw scores that were remembered.")
        self._dropped = make.counter("cache_writes_dropped_total", "Raw scores that were not remembered.")
        self._breaker = make.gauge("cache_breaker_open", "Workers that leave the cache alone for now.")

    def looked_up(self, level: str, hits: int, misses: int, seconds: float | None) -> None:
        """A lookup ended; ``seconds`` is None where the store was not asked."""
        name = self._levels.of(level)
        self._lookups.labels(name, "hit").inc(hits)
        self._lookups.labels(name, "miss").inc(misses)
        if seconds is not None:
            self._seconds.labels(name, "get").observe(seconds)

    def corrupt(self, entries: int) -> None:
        self._corrupt.inc(entries)

    def failed(self, operation: str, kind: str) -> None:
        """The store could not be asked or refused a write."""
        self._errors.labels(self._operations.of(operation), self._kinds.of(kind)).inc()

    def written(self, entries: int, seconds: float) -> None:
        """Entries that were stored."""
        self._written.inc(entries)
        self._seconds.labels("redis", "put").observe(seconds)

    def dropped(self, entries: int) -> None:
        self._dropped.inc(entries)

    def breaker(self, state: str) -> None:
        """``closed``, ``half_open`` (one call tries the store) or ``open``."""
        self._breaker.set(0 if state == "closed" else 1)
