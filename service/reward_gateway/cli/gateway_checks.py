"""Checks of a gateway process's settings and files before it starts; all faults are reported at once."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reward_gateway.backends.judges.config import JudgesFileError, load_judges
from reward_gateway.backends.remote_sandboxes.config import SandboxesFileError, load_sandboxes
from reward_gateway.backends.upstreams.file import UpstreamsFileError, load_upstreams
from reward_gateway.extras import MissingExtra, demand
from reward_gateway.rates import parse_rate
from reward_gateway.redis_servers.address import WrongAddress, parse_address
from reward_gateway.settings import Settings, flag_of, variable_of
from reward_gateway.traffic.keys import KeyRing, KeysFileError, UnsafeExposure, check_exposure
from reward_gateway.traffic.tls import TlsFiles, TlsFilesError

from .output import UNUSABLE, Unusable
from .rewards import read_recipes


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: a sentence that says what is wrong and what to do, and the exit code."""

    sentence: str
    code: int = UNUSABLE


def find_gateway_faults(settings: Settings) -> list[Fault]:
    """Faults in settings and files that would keep a gateway process from starting."""
    return [fault for check in (_exposure, _extras, _tls, _addresses, _files) for fault in check(settings)]


def _exposure(settings: Settings) -> Iterator[Fault]:
    try:
        check_exposure(settings)
    except UnsafeExposure as error:
        yield Fault(str(error))


def _extras(settings: Settings) -> Iterator[Fault]:
    modules = []
    if settings.otlp_endpoint is not None:
        modules += ["opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.grpc"]
    if settings.oip_tokenizer is not None:
        modules.append("tokenizers")
    try:
        demand(*modules)
    except MissingExtra as error:
        yield Fault(str(error))


def _tls(settings: Settings) -> Iterator[Fault]:
    try:
        if files := TlsFiles.of(settings):
            files.load()
    except TlsFilesError as error:
        yield Fault(str(error))


def _addresses(settings: Settings) -> Iterator[Fault]:
    """What the client of Redis and the rates would only refuse when they are made, after everything has started."""
    named = (settings.redis_url, "redis_url"), (settings.state_redis_url, "state_redis_url")
    for url, setting in named:
        if url and (reason := _find_address_fault(url)):
            yield Fault(f"{flag_of(setting)} ({variable_of(setting)}) is no address of Redis: {reason}")
    for setting in ("redis_ca", "redis_certificate", "redis_key"):
        for name in (setting, f"state_{setting}"):
            path: Path | None = getattr(settings, name)
            if path is not None and not path.is_file():
                yield Fault(f"there is no file {path} ({flag_of(name)}, {variable_of(name)})")
    if settings.rate_limit is not None:
        try:
            parse_rate(settings.rate_limit)
        except ValueError as error:
            yield Fault(f"{flag_of('rate_limit')} ({variable_of('rate_limit')}): {error}")


def _find_address_fault(url: str) -> str:
    """What is wrong with an address of Redis; empty: nothing."""
    try:
        address = parse_address(url)
    except WrongAddress as error:
        return str(error)
    if address.kind == "single" and "?" in url:
        from redis.asyncio.connection import parse_url  # here, because it takes a third of a second

        try:
            parse_url(url)
        except ValueError as error:
            return f"write redis://HOST:PORT/NUMBER, with options that the client knows ({error})"
    return ""


def _files(settings: Settings) -> Iterator[Fault]:
    """The files named in settings exist, can be read and are valid."""
    try:
        read_recipes(settings.rewards_file)
    except Unusable as error:
        yield Fault(f"{error}: name one with {flag_of('rewards_file')} ({variable_of('rewards_file')})")
    for setting in ("api_keys_file", "judges_file", "upstreams_file", "sandboxes_file", "oip_tokenizer"):
        path: Path | None = getattr(settings, setting)
        if path is not None and not path.is_file():
            yield Fault(f"there is no file {path} ({flag_of(setting)}, {variable_of(setting)})")
    if settings.oip_tokenizer is not None and settings.oip_tokenizer.is_file():
        from reward_gateway.oip.tokens import Detokeniser  # needs an extra

        try:
            with contextlib.suppress(MissingExtra):  # told already
                Detokeniser.load(settings.oip_tokenizer)
        except OSError as error:
            yield Fault(str(error))
    try:
        if settings.api_keys_file is not None and settings.api_keys_file.is_file():
            KeyRing.load(settings.api_keys_file)
    except KeysFileError as error:
        yield Fault(f"{settings.api_keys_file}: {error}")
    try:
        if settings.judges_file is not None and settings.judges_file.is_file():
            for judge in load_judges(settings.judges_file):
                judge.api_key()
    except JudgesFileError as error:
        yield Fault(f"{settings.judges_file}: {error}")
    try:
        if settings.sandboxes_file is not None and settings.sandboxes_file.is_file():
            for sandbox in load_sandboxes(settings.sandboxes_file):
                sandbox.api_key()
    except SandboxesFileError as error:
        yield Fault(f"{settings.sandboxes_file}: {error}")
    try:
        if settings.upstreams_file is not None and settings.upstreams_file.is_file():
            load_upstreams(settings.upstreams_file)
    except UpstreamsFileError as error:
        yield from (Fault(f"{settings.upstreams_file}: {fault}") for fault in error.faults)
    if settings.tasks_file is not None:
        yield from _tasks(settings)
    if settings.dialect_failures:
        from reward_gateway.http.dialects.dialect import check_failures  # needs the server's packages, and a moment

        try:
            check_failures(settings.dialect_failures)
        except ValueError as error:
            yield Fault(str(error))


def _tasks(settings: Settings) -> Iterator[Fault]:
    """Every line of the file of tasks is one, of a recipe of the recipe file."""
    from reward_gateway.errors import InvalidRecipe
    from reward_gateway.intake.task_file import TaskFile, TaskFileError
    from reward_gateway.recipes.book import load_book

    has_reward = None
    with contextlib.suppress(Unusable, InvalidRecipe):  # told elsewhere
        has_reward = load_book(read_recipes(settings.rewards_file)).__contains__
    try:
        TaskFile.read(settings.tasks_file, settings.max_nesting, has_reward)
    except TaskFileError as error:
        yield Fault(f"{error} ({flag_of('tasks_file')}, {variable_of('tasks_file')})")
