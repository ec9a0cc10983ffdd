"""Tries mutants, each in a forked process of its own, which ends with the first test that fails.

A mutant of a function's body exchanges that function's code in a process that has collected the tests already. A
mutant of what runs at import is imported in place of the true source, in a process that has imported the libraries.
"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Literal

import pytest

from tests.mutation.bytecode import RunsAtImport, exchange_functions
from tests.mutation.mutants import ROOT, SOURCES, Mutant

Outcome = Literal["killed", "survived", "timeout", "not exchanged"]

SURVIVED, KILLED, NOT_EXCHANGED = 0, 1, 87
START_LIMIT_S = 240.0
TEST_LIMIT_S = 20.0
"""Seconds that a test may take longer than 20 times what it took on the true source: such a mutant loops for ever."""

LIBRARIES = (
    "anyio",
    "blake3",
    "fastapi",
    "grpc.aio",
    "hiredis",
    "httpx",
    "hypothesis",
    "hypothesis.strategies",
    "msgspec",
    "numpy",
    "orjson",
    "PIL.Image",
    "prometheus_client",
    "pydantic_settings",
    "pytest",
    "redis.asyncio",
    "scipy.special",
    "scipy.stats",
    "structlog",
    "yaml",
)
"""What takes long to import and is the same for all mutants."""

ARGUMENTS = (
    *("-q", "-x", "-s", "--tb=line", "--no-header", "-p", "no:schemathesis", "--hypothesis-seed=0"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
"""Pytest's. Libraries that are imported already can no longer have their asserts rewritten, and need not."""


def import_libraries() -> None:
    """Import the libraries, and no module of the project."""
    sys.path[:0] = [str(SOURCES), str(ROOT / "models"), str(ROOT)]
    os.chdir(ROOT)
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


@dataclass(frozen=True)
class Trial:
    """A mutant and the tests that may notice it, in the order in which they are run."""

    mutant: Mutant
    tests: Sequence[str]


@dataclass
class _Running:
    trial: Trial
    pid: int
    beats: int
    began: float
    deadline: float


def run_trials(
    trials: Iterable[Trial], jobs: int, in_child: Callable[[Trial, int], int]
) -> Iterator[tuple[Trial, Outcome, float]]:
    """Each trial with its outcome and seconds, as they end; ``in_child`` gives a child's exit status."""
    waiting, running = list(reversed(list(trials))), list[_Running]()
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(_fork(waiting.pop(), in_child))
        select.select([child.beats for child in running], [], [], 0.05)
        for child in list(running):
            outcome = _look_at(child)
            if outcome is not None:
                running.remove(child)
                os.close(child.beats)
                yield child.trial, outcome, time.monotonic() - child.began


def _fork(trial: Trial, in_child: Callable[[Trial, int], int]) -> _Running:
    beats, told = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = KILLED
        try:
            os.setsid()
            os.close(beats)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            code = in_child(trial, told)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(told)
    os.set_blocking(beats, False)
    now = time.monotonic()
    return _Running(trial, pid, beats, now, now + START_LIMIT_S)


def _look_at(child: _Running) -> Outcome | None:
    """The outcome of a trial that has ended, or whose test takes far too long."""
    with contextlib.suppress(BlockingIOError):
        if limits := os.read(child.beats, 1 << 16).split():
            child.deadline = time.monotonic() + float(limits[-1])
    ended, found = os.waitpid(child.pid, os.WNOHANG)
    late = not ended and time.monotonic() > child.deadline
    if not ended and not late:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # and what the tests may have started
    if late:
        os.waitpid(child.pid, 0)
        return "timeout"
    match os.waitstatus_to_exitcode(found):
        case 0:
            return "survived"
        case 87:
            return "not exchanged"
        case _:
            return "killed"


class Heartbeat:
    """Tells the parent how long the next test may take, and runs the tests in the order given."""

    def __init__(self, told: int, seconds: dict[str, float], order: Sequence[str] = ()) -> None:
        self._told = told
        self._seconds = seconds
        self._order = {test: place for place, test in enumerate(order)}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        os.write(self._told, f"{TEST_LIMIT_S + 20 * self._seconds.get(nodeid, 0.0):.0f}\n".encode())

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._order.get(item.nodeid, len(self._order)))


def run_imported(trial: Trial, told: int, seconds: dict[str, float], order: Sequence[str]) -> int:
    """In the child: import the mutant in place of the true module. The trial's tests are files."""
    sys.meta_path.insert(0, _MutantFinder(trial.mutant))
    for files in filter(None, (trial.tests[:1], trial.tests[1:])):  # the first alone: most mutants end there
        if pytest.main([*ARGUMENTS, *files], plugins=[Heartbeat(told, seconds, order)]) != 0:
            return KILLED
    return SURVIVED


def run_exchanged(
    trial: Trial,
    told: int,
    session: pytest.Session,
    seconds: dict[str, float],
    changed: list[tuple[CodeType, CodeType]],
) -> int:
    """In the child of a process that has collected the tests: exchange functions. The trial's tests are node ids."""
    try:
        exchange_functions(changed)
    except RunsAtImport:
        return NOT_EXCHANGED
    session.config.pluginmanager.register(Heartbeat(told, seconds))
    by_name = {item.nodeid: item for item in session.items}
    items = [by_name[test] for test in trial.tests]
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return KILLED
    return SURVIVED


class _MutantFinder(importlib.abc.MetaPathFinder):
    """Finds the one mutated module, and leaves every other to the usual finders."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        loader = _MutantLoader(fullname, str(self._mutant.path))
        loader.code = self._mutant.code
        return importlib.util.spec_from_file_location(fullname, self._mutant.path, loader=loader)


class _MutantLoader(importlib.machinery.SourceFileLoader):
    code = ""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.code, self.path, "exec", dont_inherit=True)
