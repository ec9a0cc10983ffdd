"""Checks before anything is built or started; all faults are reported at once, as sentences.

Quick checks run first. Recipes are compiled last, and only if the quick checks found no fault.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from reward_gateway.local import platform, ports, valkey
from reward_gateway.local.errors import StackError
from reward_gateway.local.own_folders import foreign_folder_fault
from reward_gateway.settings import Settings, flag_of, variable_of

from .gateway_checks import Fault, find_gateway_faults
from .output import FAULTY
from .rewards import fault_lines, judge_fallbacks, read_recipes, upstream_models

if TYPE_CHECKING:
    from reward_gateway.recipes.known_models import KnownModels


def find_faults(settings: Settings) -> list[Fault]:
    """Faults that would keep the stack from starting or its gateway from answering; empty if there are none."""
    found = [*find_gateway_faults(settings), *(fault for check in _QUICK for fault in check(settings))]
    return found or [fault for check in _THOROUGH for fault in check(settings)]


def writable_fault(folder: Path, setting: str, purpose: str) -> str:
    """Why a folder cannot be written to or created; empty if it can. Creates nothing."""
    existing = next(ancestor for ancestor in (folder.absolute(), *folder.absolute().parents) if ancestor.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return ""
    except OSError as error:
        return (
            f"{folder} cannot be written to ({error.strerror}), and {purpose}: name another folder with "
            f"{flag_of(setting)} ({variable_of(setting)})"
        )


def find_folder_faults(settings: Settings) -> Iterator[Fault]:
    """The folders of logs and state can be written to, and there is a model repository."""
    if fault := writable_fault(settings.run_directory, "state_dir", "logs and state are kept there"):
        yield Fault(fault)
    for names in (settings.run_names, ("backends",)):
        if fault := foreign_folder_fault(settings.state_dir, *names):
            yield Fault(fault)
            break
    if not settings.triton_url and not settings.model_repository.is_dir():
        yield Fault(
            f"there is no model repository {settings.model_repository}: name one with {flag_of('model_repository')} "
            f"({variable_of('model_repository')}), or a Triton server elsewhere with {flag_of('triton_url')}"
        )


def find_port_faults(settings: Settings) -> Iterator[Fault]:
    """The ports can be listened on."""
    taken: dict[str, Callable[[], object]] = {
        "http_port": lambda: ports.open_listener(settings.http_host, settings.http_port, "http_port").close()
    }
    if settings.grpc_port:
        taken["grpc_port"] = lambda: ports.reserve_port(settings.http_host, settings.grpc_port, "grpc_port").close()
    yield from _stack_faults(taken.values())
    if settings.grpc_port and settings.grpc_port == settings.http_port:
        yield Fault(f"HTTP and gRPC cannot share the port {settings.http_port}: choose another with --grpc-port")


def _servers(settings: Settings) -> Iterator[Fault]:
    """The servers to be started are installed on this machine."""
    checks: list[Callable[[], object]] = []
    if not settings.redis_url or not settings.state_store_url:
        checks.append(valkey.find_server)
    if not settings.triton_url:
        checks += [platform.check_machine, lambda: platform.find_triton(settings.triton_env)]
    yield from _stack_faults(checks)


def _recipes(settings: Settings) -> Iterator[Fault]:
    """The recipes compile. With --triton-url the models are checked later, by the gateway."""
    from reward_gateway.backends.judges.config import JudgesFileError
    from reward_gateway.backends.triton.repository import models_of_repository
    from reward_gateway.backends.upstreams.file import UpstreamsFileError
    from reward_gateway.errors import InvalidRecipe
    from reward_gateway.recipes.book import load_book
    from reward_gateway.recipes.known_models import known_models

    models: KnownModels | None = None
    if not settings.triton_url:
        models = known_models(models_of_repository(settings.model_repository))
        with contextlib.suppress(UpstreamsFileError):  # told by the gateway's own checks
            models = {**models, **upstream_models(settings.upstreams_file)}
    judges: dict[str, str] = {}
    with contextlib.suppress(JudgesFileError):
        judges = judge_fallbacks(settings.judges_file)
    try:
        load_book(read_recipes(settings.rewards_file), models, judges=judges).with_weights(settings.canary_weights)
    except InvalidRecipe as error:
        for line in fault_lines(settings.rewards_file, error.faults):
            yield Fault(line, FAULTY)


def _sandbox(settings: Settings) -> Iterator[Fault]:
    if not settings.allow_untrusted_code:
        return
    from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable

    async def try_it() -> None:
        sandbox = Sandbox.of(settings)
        try:
            await sandbox.start()
        finally:
            await sandbox.close()

    try:
        asyncio.run(try_it())
    except SandboxUnavailable as error:
        yield Fault(str(error), FAULTY)


def _stack_faults(checks: Iterable[Callable[[], object]]) -> Iterator[Fault]:
    for check in checks:
        try:
            check()
        except StackError as error:
            yield Fault(str(error), FAULTY)
            return  # later checks depend on this one


Check = Callable[[Settings], Iterator[Fault]]
_QUICK: tuple[Check, ...] = (find_folder_faults, find_port_faults, _servers)
_THOROUGH: tuple[Check, ...] = (_recipes, _sandbox)
