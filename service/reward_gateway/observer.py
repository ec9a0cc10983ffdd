"""What the parts of the gateway tell of themselves: one protocol for whoever measures them.

A part is handed an observer and calls it; ``telemetry.metrics.Metrics`` is the one of a running service. The methods
do nothing, so that :data:`UNOBSERVED` stands where nobody measures and a subclass overrides only what it counts.
Names, numbers and reasons are told, never a text that is scored.

Every method is called on the event loop and must be quick. What one raises is logged and goes no further: no request
fails because it could not be measured.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import structlog

from reward_gateway.sample import FloatArray, Scored

log = structlog.get_logger(__name__)

RejectReason = Literal[
    "queue_full", "predicted_wait", "queue_timeout", "deadline", "body_bytes", "connections", "websockets"
]
StoreName = Literal["cache", "state"]
CacheLevel = Literal["memory", "redis"]
CacheOperation = Literal["get", "put"]
CacheFault = Literal["timeout", "connection", "auth", "loading", "full", "read_only", "response", "other"]
BreakerState = Literal["closed", "half_open", "open"]
ReplicaKind = Literal["upstream", "judge", "triton"]
RefusalReason = Literal["no_replicas", "queue_full"]
CloseReason = Literal[
    "headers_too_large", "request_timeout", "malformed_body", "too_large", "overloaded", "draining", "idle", "unread"
]
WorkerPoolName = Literal["operations", "math", "math_slow"]
UnfinishedReason = Literal["time", "memory", "lost"]
HedgeOutcome = Literal["sent", "won"]
ExperimentOutcome = Literal["compared", "dropped", "failed"]


class ScoredPlan(Protocol):
    """What an observer reads of a recipe."""

    @property
    def ensemble(self) -> tuple[str, ...]:
        """Components that answer the same question, so that their spread is a disagreement."""

    @property
    def audits(self) -> tuple[str, ...]:
        """Components outside the reward, which are compared with it."""


class Observer:
    """Is told of everything that is measured; this one takes no notice."""

    def __init_subclass__(cls) -> None:
        for name, hook in list(vars(cls).items()):
            if not name.startswith("_") and name in vars(Observer):
                setattr(cls, name, _never_raise(hook))

    # The process and what it serves

    def process_started(self, version: str, python: str) -> None:
        """This process runs, with this version of the gateway and of Python."""

    def recipes_loaded(self, versions: Mapping[str, str]) -> None:
        """These recipes are served from now on, and no others; their versions by name."""

    # Requests, at every entry

    def request_answered(self, protocol: str, route: str, status: str, seconds: float, trace_id: str = "") -> None:
        """A request was answered. ``route`` is a template or a method's name, never a path as it was sent.

        ``trace_id`` is that of the request's trace; empty: it has none that is kept.
        """

    def request_unauthorized(self, reason: str) -> None:
        """A request was refused for its API key; ``reason`` is the code of the error."""

    # Admission

    def admission_changed(self, in_flight: int, queued: int) -> None:
        """How many requests are worked on and how many wait, now."""

    def admission_queue_changed(self, waiting: Mapping[str, int], predicted_wait_s: float) -> None:
        """How many requests of each priority wait, and how long one that came now would wait behind all of them."""

    def admission_passed(self, priority: str, waited_s: float) -> None:
        """A request was let in, after so long in the queue; 0 for one that found a free place."""

    def admission_rejected(self, reason: RejectReason) -> None:
        """A request was turned away before it was worked on."""

    # Jobs

    def jobs_counted(self, jobs: int, samples: int, oldest_s: float, expired: int) -> None:
        """How many jobs and samples wait for all workers, and how long the oldest; how many have expired since."""

    def job_piece_taken(self, queued_s: float, *, again: bool) -> None:
        """A worker took a piece of a job, so long after its submission; ``again``: the worker before was lost."""

    def job_piece_scored(self, samples: int, seconds: float) -> None:
        """A piece of a job was scored."""

    # Connections

    def connections_changed(self, open_connections: int) -> None:
        """How many HTTP connections are open, now."""

    def connection_closed(self, reason: CloseReason) -> None:
        """The gateway closed a connection without a request that was routed: ``idle``, its answer ``unread``, or the
        code of the error that its client was sent."""

    # Rates of API keys

    def rate_checked_alone(self) -> None:
        """A request was counted against this process's share of a rate, as the store of state could not be asked."""

    def over_budget(self, tenant: str) -> None:
        """A request was refused: it would have exceeded its tenant's budget of samples."""

    def budget_unchecked(self) -> None:
        """A request was let through although its tenant has a budget, as the store of state could not be asked."""

    def usage_counted(self, key: str, tenant: str, samples: int) -> None:
        """A request of an API key was answered, or a job of it accepted."""

    def rates_breaker_changed(self, state: BreakerState) -> None:
        """Breaker of the shared rate windows: in use (closed), not used (open), or tried by one call (half open)."""

    # The stores

    def store_checked(self, store: StoreName, reachable: bool) -> None:
        """A store was asked whether it is there, as it is every few seconds."""

    def state_checked(self, is_lost: bool) -> None:
        """The store of state was asked whether it has lost what it held."""

    # The cache of raw scores

    def cache_looked_up(self, level: CacheLevel, hits: int, misses: int, seconds: float | None) -> None:
        """A lookup ended; keys that could not be looked up count as misses.

        ``seconds`` is None where the store was not asked, because its breaker is open: no duration of a call.
        """

    def cache_corrupt(self, entries: int) -> None:
        """Values were found that could not be read; they count as misses."""

    def cache_failed(self, operation: CacheOperation, fault: CacheFault) -> None:
        """The store could not be asked, or refused a write."""

    def cache_written(self, entries: int, seconds: float) -> None:
        """Entries were stored."""

    def cache_dropped(self, entries: int) -> None:
        """Entries were not stored: too many wait already, the circuit breaker is open, or the store refused them."""

    def cache_breaker_changed(self, state: BreakerState) -> None:
        """Breaker of the cache: in use (closed), not used (open), or tried by one call (half open)."""

    # Worker processes

    def work_unfinished(self, reason: UnfinishedReason) -> None:
        """Work in another process did not come to its end: its time passed, it took too much memory, or it was lost."""

    # Model servers and judges

    def rows_queued(self, model: str, rows: int) -> None:
        """So many rows wait for a call of a model, now."""

    def rows_refused(self, model: str, rows: int, reason: RefusalReason) -> None:
        """So many rows were refused at once: the pool of the model has no server, or too many rows wait for it."""

    def model_call_started(self, model: str, rows: int) -> None:
        """A call of a model went out with so many rows."""

    def model_call_finished(self, model: str, rows: int, seconds: float, outcome: str) -> None:
        """It came back: ``ok``, ``cancelled``, or the code of the reason why its rows have no score."""

    def triton_checked(self, server: str, reachable: bool | None) -> None:
        """A Triton server was asked what it serves, as it is every few seconds; None: it has left."""

    # Replicas of upstreams, judges and Triton's models

    def upstream_checked(self, upstream: str, replica: str, reachable: bool | None) -> None:
        """A replica was looked at, or stopped answering; None: it has left the upstream."""

    def replica_call_started(self, kind: ReplicaKind, name: str, replica: str, rows: int) -> None:
        """A call went out to a replica, with so many rows; to one of a judge, with one question. Those of a model on
        Triton are named by their servers."""

    def replica_call_finished(self, kind: ReplicaKind, name: str, replica: str, seconds: float, outcome: str) -> None:
        """It came back: ``ok``, ``cancelled``, or the code of the reason why it failed."""

    def replica_breaker_changed(self, kind: ReplicaKind, name: str, replica: str, state: BreakerState) -> None:
        """Breaker of a replica: it gets calls (closed), or none until it has answered a look (open)."""

    def judge_answered(self, judge: str, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        """A judge was asked and its answer, read or not, took so many tokens, at this cost in its price's currency."""

    def judge_cached(self, judge: str, answers: int) -> None:
        """So many answers of a judge came from the cache, and cost nothing."""

    def call_hedged(self, kind: str, name: str, outcome: HedgeOutcome) -> None:
        """A slow call of an upstream or a judge (``kind``) was sent to a second replica, or that one's answer came
        first."""

    # Processes for what may take long

    def worker_pool_changed(self, pool: WorkerPoolName, busy: int, queued: int) -> None:
        """How many processes of a pool work, and how many pieces of work wait for one, now."""

    # Images that samples name by an address

    def media_fetched(self, outcome: str, size: int, seconds: float) -> None:
        """A fetch ended, with so many bytes; how, is one of the few outcomes that the fetcher knows."""

    # The dataplane

    def batch_scored(self, plan: ScoredPlan | None, scored: Scored, lengths: FloatArray | None) -> None:
        """A batch was scored. ``lengths``: characters of each response [n], NaN for a missing one."""

    # Experiments

    def candidate_scored(self, experiment: str, outcome: ExperimentOutcome, rows: int) -> None:
        """Samples were compared, dropped (too many wait) or have no score of the candidate (failed)."""

    def candidate_compared(self, experiment: str, report: Mapping[str, Any]) -> None:
        """What an experiment has found up to now."""


def _never_raise(hook: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(hook)
    def tell(*args: Any, **kwargs: Any) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:
            log.error("observer failed", hook=hook.__name__, once_per=hook.__qualname__, exc_info=error)

    return tell


UNOBSERVED = Observer()
"""Stands where nobody measures."""
