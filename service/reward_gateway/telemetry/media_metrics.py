"""What fetching images costs. No address is ever a label."""

from .buckets import DURATION_S
from .instruments import Instruments


class MediaMetrics:
    """Counts every address that was asked for."""

    def __init__(self, make: Instruments) -> None:
        self._fetches = make.counter("media_fetches_total", "Images asked for by their address.", "outcome")
        self._bytes = make.counter("media_fetched_bytes_total", "Bytes of images that arrived whole.")
        self._seconds = make.histogram("media_fetch_duration_seconds", "Fetches, with the wait for a turn.", DURATION_S)

    def count_fetch(self, outcome: str, size: int, seconds: float) -> None:
        self._fetches.labels(outcome).inc()
        self._bytes.inc(size)
        self._seconds.observe(seconds)
