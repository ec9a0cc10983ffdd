"""The gateway's processes as children: one listening socket for all, settings passed as environment variables."""

import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prometheus_client import multiprocess
from pydantic import SecretStr

from reward_gateway.local import probes
from reward_gateway.local.children import Child
from reward_gateway.settings import Settings

MODULE = "reward_gateway.cli.worker"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where to reach them


def worker_children(settings: Settings, http: socket.socket, run_dir: Path, module: str = MODULE) -> list[Child]:
    """One child per worker; ``settings`` are the workers' settings, with all addresses filled in."""
    host, port = http.getsockname()[:2]
    env = os.environ | settings_environment(settings) | {"REWARD_GATEWAY_HTTP_FD": str(http.fileno())}
    clean_up: Callable[[int], None] = lambda pid: None  # noqa: E731
    if settings.workers > 1:
        metrics = run_dir / "metrics"
        metrics.mkdir(parents=True, exist_ok=True)
        for stale in metrics.glob("*.db"):
            stale.unlink()
        env["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        clean_up = partial(multiprocess.mark_process_dead, path=str(metrics))
    return [
        Child(
            name=f"gateway {number}" if settings.workers > 1 else "gateway",
            argv=[sys.executable, "-m", module],
            ready=probes.http_ok(EVERYWHERE.get(host, host), port, "/livez"),
            env=env,
            ready_s=60.0,
            stop_s=settings.drain_s + 3.0,
            pass_fds=(http.fileno(),),
            clean_up=clean_up,
        )
        for number in range(1, settings.workers + 1)
    ]


def settings_environment(settings: Settings) -> dict[str, str]:
    """Settings as environment variables, which load as the same settings."""
    return {
        f"REWARD_GATEWAY_{name.upper()}": _setting_text(value)
        for name, value in settings
        if value is not None and value != type(settings).model_fields[name].default
    }


def _setting_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)
