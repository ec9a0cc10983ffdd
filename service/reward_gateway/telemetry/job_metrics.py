"""Metrics of jobs. KEDA and an HPA can scale on the age of the oldest job."""

from .buckets import DURATION_S
from .instruments import Instruments


class JobMetrics:
    """What waits, and what becomes of it."""

    def __init__(self, make: Instruments) -> None:
        self._jobs = make.latest_gauge("jobs_waiting", "Jobs that are not finished, of all workers.")
        self._samples = make.latest_gauge("job_samples_waiting", "Samples of jobs that are not finished.")
        self._age = make.latest_gauge("job_oldest_age_seconds", "Age of the oldest job that is not finished; 0: none.")
        self._expired = make.counter("jobs_expired_total", "Jobs that made no progress and were forgotten.")
        self._queued = make.histogram(
            "job_queued_seconds", "Time from a job's submission until one of its pieces is scored.", DURATION_S
        )
        self._running = make.histogram("job_piece_duration_seconds", "Time that scoring a piece takes.", DURATION_S)
        self._scored = make.counter("job_samples_scored_total", "Samples of jobs that were scored.")
        self._redelivered = make.counter(
            "job_pieces_redelivered_total", "Pieces that were taken again, as the worker before was lost."
        )

    def set_waiting(self, jobs: int, samples: int, oldest_s: float, expired: int) -> None:
        """What waits now, and how many jobs have expired since the last time."""
        self._jobs.set(jobs)
        self._samples.set(samples)
        self._age.set(oldest_s)
        self._expired.inc(expired)

    def note_taken(self, queued_s: float, *, again: bool) -> None:
        """A piece was taken."""
        if again:
            self._redelivered.inc()
        else:
            self._queued.observe(queued_s)

    def note_scored(self, samples: int, seconds: float) -> None:
        """A piece was scored."""
        self._scored.inc(samples)
        self._running.observe(seconds)
