"""One gateway process: wires up all parts. ``serve`` starts the configured number of these.

It reads its settings from the environment and takes the listening socket from ``REWARD_GATEWAY_HTTP_FD`` if set
(workers share one socket). On SIGTERM it stops once the requests in flight are answered; on SIGHUP it reads recipes,
upstreams and keys again.
"""

import asyncio
import contextlib
import gc
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
import uvloop

from reward_gateway import __version__
from reward_gateway.admin.models import ModelAdmin
from reward_gateway.admin.stores import StoreWatch
from reward_gateway.backends.declared_servers import ServersFileError
from reward_gateway.backends.judges.config import load_judges
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.model_servers import ModelServers
from reward_gateway.backends.remote_sandboxes.config import load_sandboxes
from reward_gateway.backends.remote_sandboxes.remote_sandboxes import RemoteSandboxes
from reward_gateway.backends.sandbox.databases import DatabaseFolder
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable
from reward_gateway.backends.triton.model_queue import QueueLimits
from reward_gateway.backends.triton.repository import models_of_repository
from reward_gateway.backends.triton.servers import TritonServers
from reward_gateway.backends.upstreams.file import UpstreamsFileError, load_upstreams_file
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.backends.workers.pool import WorkerPool
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.null import NullCache
from reward_gateway.cache.port import ScoreCache
from reward_gateway.cache.redis import RedisCache
from reward_gateway.cache.texts import TextCache
from reward_gateway.cache.tiered import NEAR_TTL_S, TieredCache
from reward_gateway.cli.compute import prepare_process
from reward_gateway.cli.configuration import read_settings
from reward_gateway.cli.fallback_checks import check_fallbacks
from reward_gateway.cli.freed_memory import keep_freed_memory
from reward_gateway.cli.gateway_checks import find_gateway_faults
from reward_gateway.cli.output import UNUSABLE, Unusable
from reward_gateway.cli.reference import hand_over
from reward_gateway.cli.reloading import read_book, register_labels, reload_keys, reload_models, watch
from reward_gateway.cli.rewards import fault_lines
from reward_gateway.console.activity import Activity
from reward_gateway.console.assets import Assets
from reward_gateway.console.console import Console
from reward_gateway.console.health import check_health
from reward_gateway.console.page import Parts
from reward_gateway.errors import GatewayError, InvalidRecipe
from reward_gateway.experiments.shadow import Shadow
from reward_gateway.extras import MissingExtra
from reward_gateway.gateway import Gateway
from reward_gateway.grpc import oip
from reward_gateway.grpc import server as grpc_server
from reward_gateway.grpc.job_calls import JobParts
from reward_gateway.grpc.oip import InferenceService
from reward_gateway.http.app import create_app
from reward_gateway.http.encode import encode_scored
from reward_gateway.http.server import HttpServer
from reward_gateway.intake.fetch.fetcher import Fetcher
from reward_gateway.intake.media import MediaLimits
from reward_gateway.intake.media_loader import Intake
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.jobs.callbacks import CallbackSender
from reward_gateway.jobs.runner import JobRunner
from reward_gateway.kept_samples.keeper import SampleKeeper
from reward_gateway.kept_samples.redis_store import RedisSampleStore
from reward_gateway.kept_samples.store import Bounds, LocalSampleStore
from reward_gateway.metering.budgets import Budgets
from reward_gateway.metering.meter import Meter
from reward_gateway.metering.usage import LocalUsageStore, RedisUsageStore, UsageCounter
from reward_gateway.observer import BreakerState, Observer
from reward_gateway.oip.protocol import OpenInference
from reward_gateway.runs.alerts import AlertSender
from reward_gateway.runs.history import RunHistory
from reward_gateway.runs.otlp import configure_run_metrics
from reward_gateway.runs.redis_store import RedisRunStore
from reward_gateway.runs.store import LocalRunStore
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.shared_counts import SharedCounts
from reward_gateway.state.cohorts import LocalCohorts, RedisCohorts
from reward_gateway.state.epoch import StoreEpoch
from reward_gateway.state.spend import RedisSpend
from reward_gateway.state.store import StateStore
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.guard import Traffic
from reward_gateway.traffic.keys import KeysFileError
from reward_gateway.traffic.tls import TlsFilesError

log = structlog.get_logger(__name__)

JUDGE_FAILURES = 8
"""Consecutive failures of a judge after which its circuit breaker opens."""

REPLICA_FAILURES = 3
"""Consecutive failures of an upstream's replica after which its circuit breaker opens."""

FLUSH_S = 1.0
"""Time that the last answers of gRPC have to be sent, once its calls have ended."""

RATES_FAILURES = 2
"""Consecutive failures of the state store after which each worker enforces rates alone, until it answers again."""


def make_cache(settings: Settings, telemetry: Telemetry) -> ScoreCache:
    """The configured score cache: memory in front of Redis, one of them, or none."""
    far: ScoreCache | None = None
    if settings.redis_address is not None:
        far = RedisCache(
            settings.redis_address,
            ttl_s=settings.cache_ttl_s,
            timeout_s=settings.cache_timeout_ms / 1e3,
            breaker_failures=settings.cache_breaker_failures,
            breaker_pause_s=settings.cache_breaker_pause_s,
            observer=telemetry.metrics,
        )
    if not settings.cache_memory_entries:
        return far or NullCache()
    ttl_s = min(settings.cache_ttl_s, NEAR_TTL_S) if far else settings.cache_ttl_s
    near = MemoryCache(settings.cache_memory_entries, ttl_s, observer=telemetry.metrics)
    return TieredCache(near, far) if far else near


def make_model_servers(settings: Settings, observer: Observer) -> ModelServers:
    """The Triton servers and the upstreams. Raises UpstreamsFileError."""
    file = load_upstreams_file(settings.upstreams_file)
    tritons = TritonServers(
        settings.triton_urls,
        make_replica_breaker,
        limits=QueueLimits(settings.max_infer_calls, settings.max_in_flight_ms / 1e3),
        observer=observer,
        declared=file.triton_models,
    )
    upstreams = UpstreamServer(file.upstreams, make_replica_breaker, observer)
    return ModelServers(tritons, upstreams)


def make_replica_breaker(changed: Callable[[BreakerState], None]) -> Breaker:
    """Circuit breaker of one replica of an upstream, which looks at it close, or of a model on one Triton server."""
    return Breaker(REPLICA_FAILURES, time.monotonic, changed=changed)


def make_judge_breaker(changed: Callable[[BreakerState], None]) -> Breaker:
    """Circuit breaker of one replica of a judge, which questions to it close."""
    return Breaker(JUDGE_FAILURES, time.monotonic, changed=changed)


def make_run_history(settings: Settings, telemetry: Telemetry) -> RunHistory | None:
    """The history of runs, shared by all workers where they have a state store; None: none is kept."""
    if not settings.run_history_bytes:
        return None
    size, health = settings.run_history_bytes, telemetry.metrics.health
    store = RedisRunStore(settings.state_address, size) if settings.state_address else LocalRunStore(size)
    return RunHistory(store, lost=health.count_lost, failed=health.count_failed, limits=settings.run_alerts)


def make_alert_sender(settings: Settings, runs: RunHistory | None) -> AlertSender | None:
    """Tells of runs that leave their limits; None: there are none."""
    if runs is None or not settings.run_alerts or settings.run_alert_secret is None:
        return None
    sender = AlertSender(settings.run_alert_url, settings.run_alert_secret.get_secret_value())
    runs.alert = sender.send
    return sender


def make_sample_keeper(settings: Settings, telemetry: Telemetry) -> SampleKeeper | None:
    """What keeps samples, shared by all workers where they have a state store; None: nothing is kept."""
    if not settings.keep_samples:
        return None
    bounds, health = Bounds.of(settings), telemetry.metrics.health
    address = settings.state_address
    store = RedisSampleStore(address, bounds) if address else LocalSampleStore(bounds)
    return SampleKeeper(store, bounds, lost=health.count_lost, failed=health.count_failed)


def make_meter(settings: Settings, telemetry: Telemetry) -> Meter:
    """What counts samples: without a state store budgets are not enforced, and usage is that of each worker."""
    address, days, observer = settings.state_address, settings.usage_days, telemetry.metrics
    budgets = Budgets(address, observer=observer) if address else None
    if not days:
        return Meter(budgets)
    store = RedisUsageStore(address, days) if address else LocalUsageStore(days)
    return Meter(budgets, UsageCounter(store, days, observer=observer))


async def build_gateway(
    settings: Settings, telemetry: Telemetry, runs: RunHistory | None = None, samples: SampleKeeper | None = None
) -> Gateway:
    """The gateway over the configured servers.

    Args:
        runs: keeps the history of training runs.
        samples: keeps samples.

    Raises:
        InvalidRecipe: the recipe file is invalid; every fault is listed.
        JudgesFileError: the judges file cannot be used.
        UpstreamsFileError: the upstreams file cannot be used.
        SandboxesFileError: the sandboxes file cannot be used.
        SandboxUnavailable: callers' code is allowed, but this machine cannot sandbox it.
    """
    observer = telemetry.metrics
    cache = make_cache(settings, telemetry)
    spend = RedisSpend.connect(settings.state_address) if settings.state_address else None
    judges = Judges(load_judges(settings.judges_file), make_judge_breaker, observer, TextCache(cache), spend)
    remote_sandboxes = RemoteSandboxes(load_sandboxes(settings.sandboxes_file))
    sandbox = await make_sandbox(settings) if settings.allow_untrusted_code else None
    models = make_model_servers(settings, observer)
    state_address = settings.state_address
    remembered = os.environ.get("REWARD_GATEWAY_STATE_EPOCH_FILE")  # of `serve`, for the server that it starts
    epoch = StoreEpoch(Path(remembered) if remembered else None, settings.state_replicas)
    written = os.environ.get("REWARD_GATEWAY_STATE_WRITTEN")  # likewise
    files = Path(written) if written else None
    state = StateStore.connect(state_address, epoch=epoch, written=files) if state_address else StateStore.in_process()
    cohorts = (
        RedisCohorts(state_address, member_ttl_s=settings.idempotency_ttl_s, epoch=epoch)
        if state_address
        else LocalCohorts(settings.idempotency_ttl_s)
    )
    fetcher = Fetcher.of(settings, observer) if settings.media_urls else None
    media = Intake(MediaLimits.of(settings), fetcher)
    raw = CachedScorer(models, cache)
    on_disk = partial(models_of_repository, settings.model_repository)
    runtime = EffectsRuntime(
        raw,
        state,
        cohorts,
        judges=judges,
        sandbox=sandbox,
        remote_sandboxes=remote_sandboxes,
        media=media,
        repository=on_disk,
        idempotency_ttl_s=settings.idempotency_ttl_s,
        math_processes=settings.math_processes,
        workers=WorkerPool(prepare_process, settings.compute_processes, settings.compute_memory, observer=observer),
        observer=observer,
        databases=DatabaseFolder(settings.sql_databases),
    )
    try:
        await runtime.refresh_models()
    except GatewayError as error:
        log.warning("model_server_away", reason=error.message)
    check_fallbacks(runtime.known_models())
    shadow = Shadow(runtime, observer)
    meter = make_meter(settings, telemetry)
    gateway = Gateway(read_book(settings, runtime), runtime, observer, shadow, runs, samples, meter)
    register_labels(telemetry, gateway)
    return gateway


def rates_breaker(telemetry: Telemetry) -> Breaker:
    """Circuit breaker of the state store; while it is open, each worker enforces rates alone."""
    return Breaker(RATES_FAILURES, time.monotonic, changed=telemetry.metrics.rates_breaker_changed)


async def make_sandbox(settings: Settings) -> Sandbox:
    """Start the sandbox for callers' code and log its protections. Raises SandboxUnavailable."""
    sandbox = Sandbox.of(settings)
    log.info("sandbox_ready", in_force=await sandbox.start())
    return sandbox


def make_console(
    gateway: Gateway,
    settings: Settings,
    telemetry: Telemetry,
    traffic: Traffic,
    model_admin: ModelAdmin,
    stores: StoreWatch,
    runs: RunHistory | None = None,
    samples: SampleKeeper | None = None,
) -> Console:
    """The console over the parts that the API uses."""
    intake = ScoreIntake(gateway, settings)
    traffic.board.look = partial(check_health, gateway)
    return Console(
        Parts(
            gateway,
            settings,
            telemetry,
            traffic,
            intake,
            model_admin,
            stores,
            runs,
            Assets(),
            Activity(telemetry.metrics),
            samples,
        )
    )


def freeze_startup_objects() -> None:
    """Exclude startup objects from garbage collection, and collect less often, to avoid pauses in large requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def take_listener() -> socket.socket | None:
    """The socket that all workers listen on, from the supervisor; None if this worker opens its own.

    Processes that this one starts, which run callers' programs, do not get it: only this one accepts connections.
    """
    fd = os.environ.get("REWARD_GATEWAY_HTTP_FD")
    if not fd:
        return None
    # Not uvicorn's own `fd`, which takes every socket for a Unix one and so leaves Nagle's delay of 40 ms on.
    listener = socket.socket(fileno=int(fd))
    listener.set_inheritable(False)
    return listener


async def serve(settings: Settings) -> None:
    """Serve until a signal stops the process."""
    listener = take_listener()
    telemetry = Telemetry.of(settings)
    telemetry.metrics.process_started(__version__, platform.python_version())
    traffic = Traffic.of(settings, telemetry.metrics, rates_breaker(telemetry))
    runs = make_run_history(settings, telemetry)
    samples = make_sample_keeper(settings, telemetry)
    gateway = await build_gateway(settings, telemetry, runs, samples)
    protocol = OpenInference(gateway, settings)
    model_admin = ModelAdmin(gateway, settings)
    stores = StoreWatch.of(settings, telemetry.metrics, gateway.runtime.state)
    console = (
        make_console(gateway, settings, telemetry, traffic, model_admin, stores, runs, samples)
        if settings.console
        else None
    )
    hand_over()
    app = create_app(gateway, settings, telemetry, traffic, protocol, model_admin, stores, runs, console, samples)
    metrics, tracer = telemetry.metrics, telemetry.tracer
    http = HttpServer(app, settings, traffic.drain, metrics, counts=SharedCounts.from_environment())
    deps = app.state.dependencies
    answers, jobs = deps.answers, JobParts(deps.jobs, deps.job_intake)
    inference = InferenceService(gateway, protocol, settings, traffic, metrics, model_admin, tracer, answers)
    more = [(oip.SERVICE, inference.handler())]
    grpc = None
    if settings.grpc_port:
        grpc = await grpc_server.start(
            gateway, settings, traffic, metrics, more, tracer=tracer, answers=answers, jobs=jobs
        )
    runner = JobRunner(gateway, settings, traffic.admission, encode_scored, metrics) if settings.jobs else None
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def on_hangup() -> None:
        reload_keys(traffic.keys, settings.api_keys_file)
        task = loop.create_task(reload_models(gateway, settings, telemetry))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    keep_freed_memory()
    freeze_startup_objects()
    health = metrics.health
    shared = health.share_windows(settings.state_address) if settings.state_address else None
    if shared is not None:
        shared.start(health.monitor.read_noted)
    alerts, run_metrics = make_alert_sender(settings, runs), configure_run_metrics(settings)
    if alerts is not None:
        alerts.start()
    if runs is not None:
        runs.export = run_metrics.export if run_metrics is not None else None
        runs.start()
    if samples is not None:
        samples.start()
    if gateway.meter.usage is not None:
        gateway.meter.usage.start()
    traffic.start()
    stores.start()
    if console is not None:
        console.parts.activity.start()
    gateway.runtime.workers.start()
    sender = CallbackSender(gateway.runtime.state.jobs, traffic.keys, settings) if settings.callback_targets else None
    if runner is not None:
        runner.start()
        if sender is not None:
            sender.start()
    watching = asyncio.create_task(watch(gateway, settings, telemetry))
    try:
        await http.serve([listener] if listener else None)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        if runner is not None:
            await runner.close()
        if sender is not None:
            await sender.close()
        if grpc is not None:
            await grpc.stop(FLUSH_S)
        await traffic.close()
        await stores.close()
        if console is not None:
            await console.parts.activity.close()
        if shared is not None:
            health.monitor.read_noted()
            await shared.close()
        if runs is not None:
            await runs.close()
        if alerts is not None:
            await alerts.close()
        if run_metrics is not None:
            await asyncio.to_thread(run_metrics.close)
        if samples is not None:
            await samples.close()
        await gateway.meter.close()
        await gateway.close()
        telemetry.close()


def main() -> int:
    """Run one worker; returns 0 after a clean stop, 2 if settings or files are unusable."""
    try:
        settings = read_settings()
    except Unusable as error:
        return _refuse(str(error))
    if faults := find_gateway_faults(settings):
        return _refuse(*(fault.sentence for fault in faults))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except InvalidRecipe as error:
        return _refuse(*fault_lines(settings.rewards_file, error.faults))
    except (
        KeysFileError,
        TlsFilesError,
        ServersFileError,
        UpstreamsFileError,
        SandboxUnavailable,
        MissingExtra,
        OSError,
    ) as error:
        return _refuse(str(error))
    return 0


def _refuse(*sentences: str) -> int:
    for sentence in sentences:
        print(f"reward-gateway: {sentence}", file=sys.stderr)
    return UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
