"""``serve``: start the whole stack with one command. Its flags are generated from the settings."""

import asyncio
import contextlib
import inspect
import os
import ssl
import time
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console

from reward_gateway.admin.loaded_models import LoadedModels
from reward_gateway.local import device, stack
from reward_gateway.local.errors import StackError
from reward_gateway.local.workers import EVERYWHERE
from reward_gateway.recipes.suggestions import did_you_mean
from reward_gateway.settings import Settings
from reward_gateway.traffic.keys import describe_unchecked_hosts
from reward_gateway.traffic.tls import describe_readable_key

from .configuration import read_settings
from .output import FAULTY, INTERRUPTED, UNUSABLE, Unusable, print_error
from .preflight import find_faults, writable_fault
from .serve_flags import GroupedCommand, keep_flags, setting_flags

_ANSWER_S = 5.0
"""Timeout of the readiness check, in seconds."""

_OTHERS_WRITE = 0o022

_EXAMPLE = '{"samples": [{"prompt": "How do I boil an egg?", "response": "Put it in boiling water for 8 minutes."}]}'


def serve(**flags: Any) -> None:
    """Start Triton, two Valkey servers (scores, state) and the gateway, keep them running, and stop them on Ctrl-C.

    Every flag is a setting and can also be set by the environment variable in brackets. With --triton-url, --redis-url
    or --state-redis-url that server is used and none is started; with --redis-url alone its server keeps both scores
    and state.
    """
    keep_flags(flags)
    os.umask(os.umask(_OTHERS_WRITE) | _OTHERS_WRITE)  # no other user writes to models and files that this makes
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    report = _Progress(console)
    try:
        settings = read_settings()
        if faults := find_faults(settings):
            for fault in faults:
                print_error(fault.sentence)
            raise typer.Exit(faults[0].code)
        for warning in filter(None, (describe_unchecked_hosts(settings), describe_readable_key(settings))):
            console.print(f"warning: {warning}", style="yellow", markup=False)
        models = [] if settings.triton_url else _prepare(settings, report)
        asyncio.run(
            stack.run_stack(settings, models, LoadedModels, report, lambda running: _announce(console, running))
        )
    except Unusable as error:
        print_error(str(error))
        raise typer.Exit(UNUSABLE) from None
    except StackError as error:
        print_error(str(error))
        raise typer.Exit(FAULTY) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    report("stopped")


def _prepare(settings: Settings, report: Callable[[str], None]) -> list[str]:
    """Build the models to load if they are not built, and return their names."""
    on_gpu, where = device.choose_device(settings.device, settings.gpus, lambda: device.read_facts(settings.triton_env))
    from reward_models import build
    from reward_models.build import tiers
    from reward_models.repository import RepositoryError, list_models, placement, versions

    buildable = set(list_models(settings.model_repository))
    known = tuple(sorted(config.parent.name for config in settings.model_repository.glob("*/config.pbtxt")))
    left = [] if settings.models else tiers.list_unbuilt_extra(settings.model_repository)
    wanted = settings.models or tuple(name for name in known if name not in left)
    if unknown := sorted(set(wanted) - set(known)):
        raise StackError(f"there is no model {unknown[0]!r}{did_you_mean(unknown[0], known)} (--models)")
    for name in wanted:
        if name in buildable and not build.is_built(name, settings.model_repository):
            if fault := writable_fault(settings.model_repository / name, "model_repository", f"{name} is built there"):
                raise StackError(fault)
            report(f"{name}: building")
            try:
                build.build_model(name, settings.model_repository, report)
            except RepositoryError as error:
                raise StackError(f"{name} cannot be built: {error}") from None
    try:
        placed = placement.Placement(settings.gpu_instances, settings.gpus) if on_gpu else None
        versions.set_placement(settings.model_repository, placed)
    except OSError as error:
        raise StackError(f"{settings.model_repository} must be writable to change where models run: {error}") from None
    report(where)
    if left:
        report(tiers.describe_unbuilt(left))
    return list(wanted)


def _announce(console: Console, running: stack.Running) -> None:
    with contextlib.suppress(OSError):
        _print_addresses(console, running)


def _print_addresses(console: Console, running: stack.Running) -> None:
    settings = running.settings
    host = EVERYWHERE.get(settings.http_host, settings.http_host)
    host = f"[{host}]" if ":" in host else host
    base = f"{'https' if settings.tls_certificate else 'http'}://{host}:{settings.http_port}"
    grpc_scheme = "grpcs://" if settings.tls_certificate else ""
    rows = {"HTTP": base, "gRPC": f"{grpc_scheme}{host}:{settings.grpc_port}" if settings.grpc_port else "off"}
    rows |= {"console": f"{base}/"} if settings.console else {}
    rows |= {"guide": f"{base}/docs/guide/", "API": f"{base}/docs", "metrics": f"{base}/metrics"}
    cache, state = str(settings.redis_address or ""), str(settings.state_address or "")
    rows |= {"Triton": settings.triton_url, "cache": cache, "state": state, "logs": str(running.run_dir)}
    lacking = find_lacking(base)
    heading, style = ("\nStarted, not ready.", "yellow") if lacking else ("\nReady.", "bold green")
    console.print(heading, style=style)
    for line in lacking:
        console.print(f"  {line}", markup=False)
    for name, value in rows.items():
        console.print(f"  {name:<8} {value}", markup=False)
    key = ' -H "Authorization: Bearer $KEY"' if settings.api_keys_file else ""
    key += ' --cert "$CERTIFICATE" --key "$KEY_FILE"' if settings.tls_client_ca else ""
    request = f"curl -s {base}/v1/score{key} -H 'Content-Type: application/json' -d '{_EXAMPLE}'"
    console.print(f"\nTry it:\n  {request}\n\nCtrl-C stops it.", markup=False)


def find_lacking(base: str) -> list[str]:
    """Why the gateway at an address is not ready; empty if its default recipe can answer.

    Other recipes may not be ready all the same; ``GET /readyz`` lists them.
    """
    import httpx  # here, so that the other commands start without it

    try:
        # Our own process on this machine, under an address that its certificate need not name.
        unverified = ssl._create_unverified_context() if base.startswith("https") else True  # noqa: S323
        answer = httpx.get(f"{base}/readyz", timeout=_ANSWER_S, trust_env=False, verify=unverified)
        return [] if answer.is_success else [answer.json()["error"]["message"]]
    except httpx.HTTPError as error:
        return [f"GET /readyz is not answered ({type(error).__name__})"]
    except (ValueError, KeyError, TypeError):
        return [f"GET /readyz answers {answer.status_code}"]


class _Progress:
    """Prints one line per step, with the seconds since the start."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone, or its file's disk is full: the service goes on
            self._console.print(f"[{time.monotonic() - self._began:6.1f} s] {line}", markup=False)


_flags = setting_flags()
serve.__signature__ = inspect.Signature(_flags, return_annotation=None)  # type: ignore[attr-defined]
serve.__annotations__ = {flag.name: flag.annotation for flag in _flags}


def main() -> None:
    """Run this command alone: ``python -m reward_gateway.cli.serve``."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(cls=GroupedCommand)(serve)
    app()


if __name__ == "__main__":
    main()
