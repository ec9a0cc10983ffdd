"""Tries mutants, each in a process of its own that imports the mutated source in place of the true one.

A worker imports the libraries once and forks for every mutant, so that a trial costs the import of the project and
the tests until the first that fails.
"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

from tests.mutation.mutants import ROOT, SOURCES, Mutant

Outcome = Literal["killed", "survived", "timeout", "no tests"]

LIBRARIES = (
    "anyio",
    "blake3",
    "fastapi",
    "hiredis",
    "httpx",
    "hypothesis",
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


def prepare_worker() -> None:
    """Import the libraries, and no module of the project."""
    sys.path[:0] = [str(SOURCES), str(ROOT / "models"), str(ROOT)]
    os.chdir(ROOT)
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def try_mutant(mutant: Mutant | None, tests: Sequence[str], limit_s: float) -> tuple[Outcome, float, str]:
    """The outcome of the tests on a mutant (on the true source, if None), the seconds it took, and what pytest said.

    The limit is generous: a mutant that reaches it loops for ever, and counts as killed.
    """
    began = time.monotonic()
    said, said_in = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(said)
        _run_tests(mutant, tests, said_in)
    os.close(said_in)
    words = bytearray()
    os.set_blocking(said, False)
    status: int | None = None
    while status is None and time.monotonic() - began < limit_s:
        with contextlib.suppress(BlockingIOError):
            words += os.read(said, 1 << 16)
        pid, found = os.waitpid(child, os.WNOHANG)
        status = os.waitstatus_to_exitcode(found) if pid else None
        time.sleep(0.02)
    with contextlib.suppress(BlockingIOError):
        while more := os.read(said, 1 << 16):
            words += more
    os.close(said)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # and what the tests may have started
    if status is None:
        os.waitpid(child, 0)
    outcome: Outcome
    match status:
        case None:
            outcome = "timeout"
        case 0:
            outcome = "survived"
        case 5:
            outcome = "no tests"
        case _:
            outcome = "killed"
    return outcome, time.monotonic() - began, words.decode(errors="replace")


def _run_tests(mutant: Mutant | None, tests: Sequence[str], out: int) -> None:
    """In the child: never returns."""
    code = 1
    try:
        os.setsid()
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.dont_write_bytecode = True
        if mutant is not None:
            sys.meta_path.insert(0, _MutantFinder(mutant))
        import pytest

        flags = ["-q", "-x", "--tb=line", "--no-header", "-p", "no:schemathesis", "--hypothesis-seed=0"]
        flags += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of the libraries that are there already
        code = int(pytest.main([*flags, *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


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


def tests_for(path: Path, package: str) -> list[str]:
    """The package's tests, those that bear the module's name first: most mutants end there."""
    folder = ROOT / "tests" / package
    files = sorted(folder.rglob("test_*.py"))
    files.sort(key=lambda file: path.stem not in file.stem)
    return [str(file.relative_to(ROOT)) for file in files]
