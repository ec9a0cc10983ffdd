"""What all tests share: the real parts, started once for the session where a test asks for them, and the marker of
tests that ask for one."""

import ast
import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from reward_models.build import build_model, is_built
from reward_models.repository import REPOSITORY

from tests.clock import Clock
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.valkey import Valkey

ROOT = Path(__file__).parents[1]

# How long an example takes says something about the machine, nothing about the property.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

REAL_PARTS = frozenset({"stack", "start_stack", "triton_server", "valkey_process", "built_models"})
"""Fixtures that start Triton, Valkey or the gateway's processes, or need a model built."""


def pytest_configure() -> None:
    parse_without_collecting_garbage()
    cache_no_loggers()


def cache_no_loggers() -> None:
    """Let no logger keep the configuration of the test that used it first: later ones would capture nothing."""
    try:
        import structlog
    except ImportError:  # where checkpoints are converted
        return
    configure = structlog.configure

    def configure_without_caching(**given: Any) -> None:
        configure(**{**given, "cache_logger_on_first_use": False})

    pytest.MonkeyPatch().setattr(structlog, "configure", configure_without_caching)


def parse_without_collecting_garbage() -> None:
    """Build every syntax tree without garbage collection, those of imported tests and plugins included.

    CPython 3.11 fails with "AST constructor recursion depth mismatch" where what is collected in the midst of parsing
    parses something too, as the report of an unclosed socket or of a task that was destroyed does for its traceback.
    """
    parse = ast.parse

    def parse_without_collecting(*args: Any, **options: Any) -> Any:
        collecting = gc.isenabled()
        gc.disable()
        try:
            return parse(*args, **options)
        finally:
            if collecting:
                gc.enable()

    pytest.MonkeyPatch().setattr(ast, "parse", parse_without_collecting)


@pytest.fixture(autouse=True)
def logging_stays_as_it_was() -> Iterator[None]:
    """What a test configures of structlog, by running a command say, is undone: half of it would break the others'."""
    try:
        import structlog
    except ImportError:  # where checkpoints are converted
        yield
        return
    configured, before = structlog.is_configured(), structlog.get_config()
    yield
    if structlog.get_config() != before:
        structlog.reset_defaults()
        if configured:
            structlog.configure(**before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a real part as ``stack``, so that ``-m "not stack"`` passes on a machine that has none."""
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        of_redis = any(isinstance(value, str) and value == "redis" for value in parameters)  # a store's home
        if of_redis or REAL_PARTS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.stack)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Files in the order in which several processes end soonest."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.schedule import Scheduling  # an environment may be without xdist

    return Scheduling(config, log)


def pytest_collection_finish() -> None:
    """Collect garbage among what tests make alone: the tests themselves are a million objects that stay."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keeps one event loop for all tests: grpc.aio may hand a call's end to the loop of a test that is over."""
    yield
    await asyncio.sleep(0.05)


class Reporting:
    """The log of what observers raise, which keeps failed assertions for the test that made them."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.failed: list[AssertionError] = []

    def error(self, event: str, **fields: Any) -> None:
        if isinstance(fields.get("exc_info"), AssertionError):
            self.failed.append(fields["exc_info"])
        self._log.error(event, **fields)


@pytest.fixture(autouse=True)
def failed_assertions_of_observers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[AssertionError]]:
    """Raises what an observer of a test asserted in vain: no observer fails the request that it is told of."""
    # Tests of the conversion have no observer, and lack what it imports.
    observing = sys.modules.get("reward_gateway.observer")
    if observing is None:
        yield []
        return
    reporting = Reporting(observing.log)
    monkeypatch.setattr(observing, "log", reporting)
    yield reporting.failed
    for error in reporting.failed:
        raise error


@pytest.fixture
async def clock(anyio_backend: str) -> AsyncIterator[Clock]:
    """The running loop's clock, which the test puts forward."""
    with Clock(asyncio.get_running_loop()) as running:
        yield running


@pytest.fixture(scope="session")
def valkey_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Valkey"]:
    """A Valkey of our own for the session; what it holds is the business of the test that asks."""
    # Here, since the tests of the conversion share this file in an environment without a client of Redis.
    from tests.valkey import Valkey

    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    try:
        yield server
        with server.client() as client:
            refused = [entry["object"] for entry in client.acl_log() if entry["reason"] != "auth"]
            assert refused == [], "add them to reward_gateway.local.valkey.COMMANDS"
    finally:
        server.kill()


@pytest.fixture(scope="session")
def built_models() -> Callable[[str], Path]:
    """The folder of a model of the repository by its name, built if it is not."""

    def folder(name: str) -> Path:
        if not is_built(name):
            build_model(name, progress=lambda step: None)
        return REPOSITORY / name

    return folder


@dataclass(frozen=True)
class Stack:
    """A running stack: what ``reward-gateway serve`` started, and where it is."""

    process: subprocess.Popen[bytes]
    http: str
    grpc: str
    triton: str
    redis: str
    state: str
    log: Path


def start_stack(log: Path, *flags: str, wrapper: Sequence[str] = ()) -> Stack:
    """Start the stack on free ports; flags are those of ``serve``, and ``wrapper`` is a command that runs its."""
    http, grpc = free_port(), free_port()
    command = [
        *wrapper,
        sys.executable,
        "-m",
        "reward_gateway.cli.serve",
        "--http-port",
        str(http),
        "--grpc-port",
        str(grpc),
    ]
    env = os.environ | {"REWARD_GATEWAY_TRITON_READY_S": "240"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, *flags], cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True
        )
    end = time.monotonic() + 240
    try:
        while process.poll() is None and time.monotonic() < end and "Ctrl-C stops it" not in log.read_text():
            time.sleep(0.2)
    except BaseException:  # the tests are interrupted; what a supervisor started ends with it
        process.kill()
        raise
    said = log.read_text()
    if "Ctrl-C stops it" not in said:
        process.kill()
        pytest.fail(f"the stack did not start:\n{said[-3000:]}")
    address = dict(re.findall(r"^\s+(Triton|cache|state)\s+(\S+)\s*$", said, flags=re.MULTILINE))
    servers = (address["Triton"], address["cache"], address["state"])
    return Stack(process, f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}", *servers, log)


def stop_stack(stack: Stack) -> int:
    """Stop it as a person would; the exit status."""
    if stack.process.poll() is None:
        stack.process.send_signal(signal.SIGTERM)
    try:
        return stack.process.wait(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(stack.process.pid, signal.SIGKILL)
        pytest.fail("the stack did not stop within 120 s")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Triton, Valkey and the gateway with the default recipes, for the whole session."""
    running = start_stack(tmp_path_factory.mktemp("stack") / "serve.log")
    yield running
    stop_stack(running)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing is collected meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
