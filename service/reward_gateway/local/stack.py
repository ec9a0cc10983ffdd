"""Runs the whole stack on one machine: starts the servers that have no address, then the gateway."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reward_gateway.local import ports
from reward_gateway.local.children import Child
from reward_gateway.local.errors import StackError
from reward_gateway.local.own_folders import own_folder
from reward_gateway.local.plain_paths import plain_links
from reward_gateway.local.sockets import socket_folder
from reward_gateway.local.supervisor import Report, Supervisor
from reward_gateway.local.triton import ModelList, triton_child
from reward_gateway.local.valkey import SYNC_S, score_cache, state_files, state_store, sync_state
from reward_gateway.local.workers import MODULE, metrics_folder, worker_children
from reward_gateway.settings import Settings
from reward_gateway.tasks import end_task, repeat

_ENOUGH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Running:
    """The running stack.

    Args:
        settings: the settings of the workers: with all addresses, and the actual port instead of 0.
        run_dir: folder of the logs.
    """

    settings: Settings
    run_dir: Path


async def run_stack(
    settings: Settings,
    models: Sequence[str],
    loaded: Callable[[Path], ModelList],
    report: Report,
    on_ready: Callable[[Running], None] = lambda running: None,
    *,
    worker: str = MODULE,
) -> None:
    """Start the stack, keep it running, and stop it on SIGINT or SIGTERM; on SIGHUP it reads recipes and keys again.

    Args:
        settings: an empty ``triton_url`` or ``redis_url`` starts an embedded server. State is kept in
            ``state_redis_url``, or else in ``redis_url``, or else in a second embedded server.
        models: models that the embedded Triton loads.
        loaded: makes the list of loaded models in a run directory; a restarted Triton reads it.
        report: takes one line of progress.
        on_ready: called once all is ready.
        worker: module that a gateway process runs.

    Raises:
        StackError: the reason why it could not start, or had to stop.
    """
    with contextlib.ExitStack() as held:
        http = held.enter_context(ports.open_listener(settings.http_host, settings.http_port, "http_port"))
        settings = settings.model_copy(update={"http_port": http.getsockname()[1]})
        if settings.grpc_port:
            held.enter_context(ports.reserve_port(settings.http_host, settings.grpc_port, "grpc_port"))
        run_dir = own_folder(settings.state_dir, *settings.run_names)
        run_dir.chmod(0o700)
        for log in run_dir.glob("*.log"):
            log.unlink()

        servers: list[Child] = []
        if not (settings.state_store_url and settings.redis_url and settings.triton_url):
            sockets = held.enter_context(socket_folder())
        environment: dict[str, str] = {}
        if not settings.state_store_url:
            child, url = state_store(settings, run_dir, sockets)
            servers.append(child)
            settings = settings.model_copy(update={"state_redis_url": url})
            # Beside the server's folder, so that the loss of that folder is noticed.
            environment["REWARD_GATEWAY_STATE_EPOCH_FILE"] = str(run_dir / "state-epoch")
            environment["REWARD_GATEWAY_STATE_WRITTEN"] = str(state_files(run_dir))
        if not settings.redis_url:
            child, url = score_cache(settings, run_dir, sockets)
            servers.append(child)
            settings = settings.model_copy(update={"redis_url": url})
        if not settings.triton_url:
            plain = held.enter_context(plain_links())
            child, url = triton_child(settings, models, run_dir, sockets, loaded(run_dir), plain)
            servers.append(child)
            settings = settings.model_copy(update={"triton_url": url})
        metrics = None
        if settings.workers > 1:
            try:
                metrics = held.enter_context(metrics_folder(settings.workers, run_dir))
            except StackError as error:
                report(str(error))
        stages = [servers, worker_children(settings, http, metrics, worker, environment)]
        syncing = None
        if "REWARD_GATEWAY_STATE_EPOCH_FILE" in environment:
            syncing = asyncio.create_task(repeat(partial(sync_state, run_dir), SYNC_S, "state-sync"))
        unanswered: list[socket.socket] = []
        supervisor = Supervisor(
            stages,
            report,
            partial(describe_full_disk, run_dir),
            on_last_stopped=lambda: unanswered.extend(ports.close_listener(http, bool(settings.tls_certificate))),
        )
        try:
            await supervisor.run(lambda: on_ready(Running(settings, run_dir)))
        finally:
            await end_task(syncing)
            for connection in unanswered:
                connection.close()


def describe_full_disk(folder: Path) -> str:
    """A sentence if the file system of a folder is full; empty if it is not."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder} cannot be read ({error.strerror})"
    return "" if free >= _ENOUGH_BYTES else f"the file system of {folder} is full ({free >> 10} KiB free)"
