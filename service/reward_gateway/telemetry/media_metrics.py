"""Metrics of fetching images. URLs are never labels."""

from .buckets import DURATION_S
from .instruments import Instruments


class MediaMetrics:
    """Counts every fetch."""

    def __init__(self, make: Instruments) -> None:
        self._fetches = make.counter("media_fetches_total", "Images fetched from URLs.", "outcome")
        self._bytes = make.counter("media_fetched_bytes_total", "Bytes of images that were fetched completely.")
        self._seconds = make.histogram(
            "media_fetch_duration_seconds", "Latency of fetches, including the wait for a slot.", DURATION_S
        )

    def count_fetch(self, outcome: str, size: int, seconds: float) -> None:
        self._fetches.labels(outcome).inc()
        self._bytes.inc(size)
        self._seconds.observe(seconds)
