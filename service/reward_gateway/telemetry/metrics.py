"""All metrics, in Prometheus format, named ``reward_gateway_<noun>_<unit>``, in seconds and counts.

With several workers (``PROMETHEUS_MULTIPROC_DIR`` set before the first import) each process writes its own
files, and a scrape of any worker returns the sum over all.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from reward_gateway.observer import (
    BreakerState,
    CacheFault,
    CacheLevel,
    CacheOperation,
    CloseReason,
    ExperimentOutcome,
    HedgeOutcome,
    Observer,
    RefusalReason,
    RejectReason,
    ReplicaKind,
    ScoredPlan,
    StoreName,
    UnfinishedReason,
    WorkerPoolName,
)
from reward_gateway.sample import FloatArray, InvalidCode, Scored

from .buckets import DURATION_S
from .cache_metrics import CacheMetrics
from .exemplars import Exemplars
from .instruments import PREFIX, Instruments
from .job_metrics import JobMetrics
from .labels import Names
from .media_metrics import MediaMetrics
from .model_metrics import ModelMetrics
from .process_metrics import ProcessMetrics
from .replica_metrics import ReplicaMetrics
from .reward_metrics import RewardMetrics
from .shadow_metrics import ShadowMetrics
from .tallies import Tallies

DURATION = "request_duration_seconds"
_MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"


class Metrics(Observer):
    """The metrics of one process, as the observer of all its parts.

    Attributes:
        health: metrics of rewards: distributions, drift, and the monitor's windows.
        models, rewards, components, flags, verdicts, experiments: the known label values, registered by the
            composition root (``metrics.rewards.register(book.plans)``). Unknown values are counted as ``other``.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        if _MULTIPROC not in os.environ:
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=self.registry)
        make = Instruments(self.registry)
        self._tallies = Tallies()
        self.models, self.rewards, self.components, self.flags = Names(), Names(), Names(), Names()
        self.verdicts = Names()
        self._codes = Names(get_args(InvalidCode))
        self._calls = ModelMetrics(make, self.models, self._tallies)
        self._replicas = {kind: ReplicaMetrics(make, kind, self._tallies) for kind in get_args(ReplicaKind)}
        self._upstream_rows = make.counter(
            "upstream_rows_total", "Rows sent in calls of upstreams' replicas.", "upstream", "replica"
        )
        self._hedged = make.counter(
            "hedged_calls_total",
            "Slow calls sent to a second replica too, and those it won.",
            "kind",
            "name",
            "outcome",
        )
        self._cache = CacheMetrics(make, self._tallies)
        self._media = MediaMetrics(make)
        self._jobs = JobMetrics(make)
        self.experiments = Names()
        self._experiments = ShadowMetrics(make, self.experiments)
        shared = os.environ.get(_MULTIPROC)
        self.health = RewardMetrics(
            make, self.rewards, self.components, self.flags, Path(shared) if shared is not None else None
        )

        self._requests = cache(
            make.counter("requests_total", "Requests answered.", "protocol", "route", "status").labels
        )
        self._durations = cache(
            make.histogram(
                DURATION,
                "Latency from a request's arrival to its answer.",
                DURATION_S,
                "protocol",
                "route",
            ).labels
        )
        self._exemplars = Exemplars()
        self._processes = ProcessMetrics(make)
        self._queue_waits = cache(
            make.histogram(
                "request_queue_seconds", "Time that requests waited to be worked on.", DURATION_S, "priority"
            ).labels
        )
        self._in_flight = make.gauge("requests_in_flight", "Requests in flight, after admission.")
        self._queued = make.gauge("requests_queued", "Requests waiting in the admission queue.")
        self._stores_away = make.gauge("stores_away", "Workers that cannot reach a store, by store.", "store")
        self._state_lost = make.gauge(
            "state_lost", "Workers that find the state store without its state and wait for an operator."
        )
        self._rates_alone = make.gauge(
            "rates_alone", "Workers that enforce their share of rates locally: the state store is unavailable."
        )
        self._rates_checked_alone = make.counter(
            "rates_checked_alone_total", "Requests whose rate was checked without the state store."
        )
        self._key_requests = cache(
            make.counter("key_requests_total", "Requests answered and jobs accepted, by key.", "key", "tenant").labels
        )
        self._key_samples = cache(
            make.counter("key_samples_total", "Samples of these requests and jobs.", "key", "tenant").labels
        )
        self._over_budget = cache(
            make.counter("over_budget_total", "Requests refused over their tenant's budget.", "tenant").labels
        )
        self._budgets_unchecked = make.counter(
            "budgets_unchecked_total",
            "Requests let through without a check of their budget: the state store is unavailable.",
        )
        self._queued_by_priority = make.gauge(
            "admission_queued", "Requests waiting in the admission queue, by the priority of their key.", "priority"
        )
        self._predicted_wait = make.highest_gauge(
            "admission_predicted_wait_seconds", "Predicted wait of a request behind all those that wait."
        )
        self._rejected = make.counter("admission_rejected_total", "Requests rejected by admission control.", "reason")
        self._connections = make.gauge("connections", "Open HTTP connections.")
        self._closed = make.counter(
            "connections_closed_total", "HTTP connections closed without a request that was routed.", "reason"
        )
        self._pool_busy = make.gauge("worker_processes_busy", "Worker processes at work, by their pool.", "pool")
        self._pool_queued = make.gauge(
            "worker_processes_queued", "Pieces of work that wait for a worker process, by its pool.", "pool"
        )
        self._unauthorized = make.counter(
            "requests_unauthorized_total", "Requests rejected for their API key.", "reason"
        )

        self._unfinished = make.counter(
            "work_unfinished_total", "Pieces of work that a worker process did not finish.", "reason"
        )

        self._samples = cache(make.counter("samples_total", "Samples answered.", "reward").labels)
        self._invalid = make.counter("samples_invalid_total", "Samples without a score.", "code")
        self._flags = make.counter("sample_flags_total", "Flags raised by guards and models.", "guard")
        self._verdicts = make.counter(
            "score_verdicts_total", "How rules came to their verdicts, per sample.", "reward", "component", "verdict"
        )
        self._skipped = make.counter(
            "components_skipped_total",
            "Samples for which a component was not computed, by its conditions.",
            "reward",
            "component",
        )

    def process_started(self, version: str, python: str) -> None:
        self._processes.set_build(version, python)

    def recipes_loaded(self, versions: Mapping[str, str]) -> None:
        self._processes.set_recipes(versions)

    def request_answered(self, protocol: str, route: str, status: str, seconds: float, trace_id: str = "") -> None:
        self._tallies.count(self._requests(protocol, route, status))
        self._tallies.observe(self._durations(protocol, route), seconds)
        if trace_id:
            self._exemplars.keep(DURATION, {"protocol": protocol, "route": route}, seconds, trace_id)

    def request_unauthorized(self, reason: str) -> None:
        self._unauthorized.labels(reason).inc()

    def admission_changed(self, in_flight: int, queued: int) -> None:
        self._tallies.set({self._in_flight: in_flight, self._queued: queued})

    def admission_queue_changed(self, waiting: Mapping[str, int], predicted_wait_s: float) -> None:
        for priority, requests in waiting.items():
            self._queued_by_priority.labels(priority).set(requests)
        self._predicted_wait.set(predicted_wait_s)

    def admission_passed(self, priority: str, waited_s: float) -> None:
        self._tallies.observe(self._queue_waits(priority), waited_s)

    def admission_rejected(self, reason: RejectReason) -> None:
        self._rejected.labels(reason).inc()

    def worker_pool_changed(self, pool: WorkerPoolName, busy: int, queued: int) -> None:
        self._pool_busy.labels(pool).set(busy)
        self._pool_queued.labels(pool).set(queued)

    def connections_changed(self, open_connections: int) -> None:
        self._connections.set(open_connections)

    def connection_closed(self, reason: CloseReason) -> None:
        self._closed.labels(reason).inc()

    def store_checked(self, store: StoreName, reachable: bool) -> None:
        self._stores_away.labels(store).set(not reachable)

    def state_checked(self, is_lost: bool) -> None:
        self._state_lost.set(is_lost)

    def rate_checked_alone(self) -> None:
        self._rates_checked_alone.inc()

    def over_budget(self, tenant: str) -> None:
        self._over_budget(tenant).inc()

    def budget_unchecked(self) -> None:
        self._budgets_unchecked.inc()

    def usage_counted(self, key: str, tenant: str, samples: int) -> None:
        self._key_requests(key, tenant).inc()
        self._key_samples(key, tenant).inc(samples)

    def rates_breaker_changed(self, state: BreakerState) -> None:
        self._rates_alone.set(state != "closed")

    def cache_looked_up(self, level: CacheLevel, hits: int, misses: int, seconds: float | None) -> None:
        self._cache.count_lookups(level, hits, misses, seconds)

    def cache_corrupt(self, entries: int) -> None:
        self._cache.count_corrupt(entries)

    def cache_failed(self, operation: CacheOperation, fault: CacheFault) -> None:
        self._cache.count_failure(operation, fault)

    def cache_written(self, entries: int, seconds: float) -> None:
        self._cache.count_written(entries, seconds)

    def cache_dropped(self, entries: int) -> None:
        self._cache.count_dropped(entries)

    def cache_breaker_changed(self, state: BreakerState) -> None:
        self._cache.set_breaker(state)

    def work_unfinished(self, reason: UnfinishedReason) -> None:
        self._unfinished.labels(reason).inc()

    def rows_queued(self, model: str, rows: int) -> None:
        self._calls.set_queued(model, rows)

    def rows_refused(self, model: str, rows: int, reason: RefusalReason) -> None:
        self._calls.count_refused(model, rows, reason)

    def model_call_started(self, model: str, rows: int) -> None:
        self._calls.count_started(model, rows)

    def model_call_finished(self, model: str, rows: int, seconds: float, outcome: str) -> None:
        self._calls.count_finished(model, rows, seconds, outcome)

    def judge_answered(self, judge: str, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        self._calls.count_answer(judge, prompt_tokens, completion_tokens, cost)

    def judge_cached(self, judge: str, answers: int) -> None:
        self._calls.count_cached_answers(judge, answers)

    def triton_checked(self, server: str, reachable: bool | None) -> None:
        self._processes.set_triton(server, reachable)

    def upstream_checked(self, upstream: str, replica: str, reachable: bool | None) -> None:
        self._processes.set_upstream(upstream, replica, reachable)

    def replica_call_started(self, kind: ReplicaKind, name: str, replica: str, rows: int) -> None:
        self._replicas[kind].count_started(name, replica)
        if kind == "upstream":
            self._upstream_rows.labels(name, replica).inc(rows)

    def replica_call_finished(self, kind: ReplicaKind, name: str, replica: str, seconds: float, outcome: str) -> None:
        self._replicas[kind].count_finished(name, replica, seconds, outcome)

    def replica_breaker_changed(self, kind: ReplicaKind, name: str, replica: str, state: BreakerState) -> None:
        self._replicas[kind].set_breaker(name, replica, state)

    def call_hedged(self, kind: str, name: str, outcome: HedgeOutcome) -> None:
        self._hedged.labels(kind, name, outcome).inc()

    def jobs_counted(self, jobs: int, samples: int, oldest_s: float, expired: int) -> None:
        self._jobs.set_waiting(jobs, samples, oldest_s, expired)

    def job_piece_taken(self, queued_s: float, *, again: bool) -> None:
        self._jobs.note_taken(queued_s, again=again)

    def job_piece_scored(self, samples: int, seconds: float) -> None:
        self._jobs.note_scored(samples, seconds)

    def media_fetched(self, outcome: str, size: int, seconds: float) -> None:
        self._media.count_fetch(outcome, size, seconds)

    def batch_scored(self, plan: ScoredPlan | None, scored: Scored, lengths: FloatArray | None = None) -> None:
        self.health.note_batch(plan, scored, lengths)
        reward = self.rewards.known_or_other(scored.recipe)
        self._tallies.count(self._samples(reward), len(scored.reward))
        if scored.invalid:
            for code, rows in Counter(reason.code for reason in scored.invalid.values()).items():
                self._invalid.labels(self._codes.known_or_other(code)).inc(rows)
        if scored.flags:
            for flag, rows in Counter(name for names in scored.flags.values() for name in names).items():
                self._flags.labels(self.flags.known_or_other(flag)).inc(rows)
        for name, component in scored.components.items():
            if component.skipped is not None:
                rows = len(component.skipped) - component.skipped.count(None)
                self._skipped.labels(reward, self.components.known_or_other(name)).inc(rows)
            if component.verdicts:
                self._count_verdicts(reward, self.components.known_or_other(name), component.verdicts)

    def _count_verdicts(self, reward: str, component: str, verdicts: Mapping[str, FloatArray]) -> None:
        for verdict, column in verdicts.items():
            if count := sum(column.tolist()):
                self._verdicts.labels(reward, component, self.verdicts.known_or_other(verdict)).inc(count)

    def candidate_scored(self, experiment: str, outcome: ExperimentOutcome, rows: int) -> None:
        self._experiments.count_samples(experiment, outcome, rows)

    def candidate_compared(self, experiment: str, report: Mapping[str, Any]) -> None:
        self._experiments.set_comparison(experiment, report)

    def write(self) -> None:
        """Write what waits to be written, so that other workers see it."""
        self._tallies.write()

    def read_counters(self, *names: str) -> list[Sample]:
        """The samples of some counters (``requests_total``), over all workers that write to the same folder."""
        self.write()
        wanted = {PREFIX + name for name in names}
        folder = os.environ.get(_MULTIPROC)
        families: Iterable[Metric] = (
            self.registry.restricted_registry(wanted).collect()
            if folder is None
            else MultiProcessCollector.merge([str(file) for file in Path(folder).glob("counter_*.db")])  # type: ignore[no-untyped-call]
        )
        return [sample for family in families for sample in family.samples if sample.name in wanted]

    @property
    def is_shared(self) -> bool:
        """Whether several workers write to the same folder."""
        return _MULTIPROC in os.environ

    def render(self, accept: str = "") -> bytes:
        """The metrics over all workers.

        Args:
            accept: what the client takes, as its header says: OpenMetrics, which alone has exemplars, or else
                Prometheus' text format (:func:`content_type_for`).
        """
        self.health.refresh_gauges()
        self.write()
        registry = self.registry
        if _MULTIPROC in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        encode, _ = choose_encoder(accept)
        return encode(self._exemplars.attach_to(registry))


def content_type_for(accept: str) -> str:
    """The content type of what :meth:`Metrics.render` gives a client that takes this."""
    return choose_encoder(accept)[1]
