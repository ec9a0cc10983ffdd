"""The gateway's processes as children: one listening socket for all, settings passed as environment variables."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import MappingProxyType

from prometheus_client import multiprocess
from pydantic import SecretStr

from reward_gateway.local import probes
from reward_gateway.local.children import Child
from reward_gateway.local.private_folders import private_folder
from reward_gateway.settings import Settings
from reward_gateway.shared_counts import FD_VARIABLE, PLACE_VARIABLE, create_counts, withdraw_count

MODULE = "reward_gateway.cli.worker"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made there
_METRICS_BYTES = 1 << 20  # of one worker, ample
STOP_S = 8.0
"""Time that a worker has to cut off what is left, to send its last answers and to close, after it has drained."""

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where to reach them


def worker_children(
    settings: Settings,
    http: socket.socket,
    metrics: Path | None,
    module: str = MODULE,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> list[Child]:
    """One child per worker.

    Args:
        settings: the workers' settings, with all addresses filled in.
        http: the socket on which all of them listen.
        metrics: folder in which they share their metrics; None: each has its own.
        module: what a worker runs.
        environment: further variables, which are no settings.
    """
    host, port = http.getsockname()[:2]
    env = os.environ | settings_environment(settings) | {"REWARD_GATEWAY_HTTP_FD": str(http.fileno()), **environment}
    if metrics is not None:
        env["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    counts = create_counts(settings.workers) if settings.workers > 1 else None
    return [
        Child(
            name=f"gateway {place + 1}" if settings.workers > 1 else "gateway",
            argv=[sys.executable, "-m", module],
            ready=probes.http_ok(EVERYWHERE.get(host, host), port, "/livez", tls=settings.tls_certificate is not None),
            env=env if counts is None else env | {FD_VARIABLE: str(counts), PLACE_VARIABLE: str(place)},
            ready_s=120.0,
            stop_s=settings.drain_delay_s + settings.drain_s + STOP_S,
            pass_fds=(http.fileno(),) if counts is None else (http.fileno(), counts),
            clean_up=partial(_clean_up, metrics, counts, place),
            reloads=True,
        )
        for place in range(settings.workers)
    ]


def _clean_up(metrics: Path | None, counts: int | None, place: int, pid: int, was_ready: bool) -> None:
    """Remove what a worker that has ended shares with the others."""
    if metrics is not None:
        _remove_metrics(metrics, pid, was_ready)
    if counts is not None:
        withdraw_count(counts, place)


def metrics_folder(workers: int, run_dir: Path) -> AbstractContextManager[Path]:
    """A folder with room for the metrics of the workers: in memory, where no full disk can reach them, or on the disk.

    Entering it raises StackError if there is no room.
    """

    def has_room(folder: Path) -> bool:
        return shutil.disk_usage(folder).free >= workers * _METRICS_BYTES

    refusal = "there is no room for metrics that the workers share: /metrics is that of one of them"
    return private_folder(refusal, [_MEMORY, run_dir], has_room)


def _remove_metrics(metrics: Path, pid: int, was_ready: bool) -> None:
    """Remove the gauges of a worker that has ended; its counters stay, unless it has never worked."""
    multiprocess.mark_process_dead(pid, str(metrics))  # type: ignore[no-untyped-call]
    if not was_ready:
        for file in metrics.glob(f"*_{pid}.db"):
            file.unlink(missing_ok=True)


def settings_environment(settings: Settings) -> dict[str, str]:
    """Settings as environment variables, which load as the same settings."""
    return {
        f"REWARD_GATEWAY_{name.upper()}": _setting_text(value, name, settings)
        for name, value in settings
        if value is not None and value != type(settings).model_fields[name].default
    }


def _setting_text(value: object, name: str, settings: Settings) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(settings.model_dump(mode="json", include={name})[name])
    return str(value)
