"""Which test reaches which line, and how long each takes: measured once, on the true source."""

import os
import pickle
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest

AT_IMPORT = ""
"""Stands for a test where a line runs when a module or a test file is imported."""


@dataclass
class Reach:
    """What was measured.

    Attributes:
        tests: the tests that reach a line, by file and line.
        seconds: how long each test takes, its fixtures included.
        failed: what pytest said of the tests that failed.
    """

    tests: dict[str, dict[int, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, other: "Reach") -> None:
        for path, lines in other.tests.items():
            for line, tests in lines.items():
                self.tests[path][line] |= tests
        self.seconds |= other.seconds
        self.failed += other.failed

    def reaching(self, path: Path, lines: set[int] | None = None) -> set[str]:
        """The tests that reach one of the lines, or any line of the file; ``AT_IMPORT`` is one if a line runs so."""
        found = self.tests.get(str(path), {})
        return set().union(*(tests for line, tests in found.items() if lines is None or line in lines))

    def quickest_first(self, tests: set[str]) -> list[str]:
        return sorted(tests - {AT_IMPORT}, key=lambda test: (self.seconds.get(test, 0.0), test))


def measure_reach(arguments: Sequence[str], files: Sequence[str], sources: Sequence[Path], answer: Path) -> None:
    """In a child process: run the tests of these files, and leave a pickled Reach at ``answer``. Never returns."""
    tracer = coverage.Coverage(data_file=None, config_file=False, source=[str(source) for source in sources])
    recorder = _Recorder(tracer)
    tracer.start()
    try:
        pytest.main([*arguments, *files], plugins=[recorder])
    finally:
        tracer.stop()
        data = tracer.get_data()
        for path in data.measured_files():
            for line, tests in data.contexts_by_lineno(path).items():
                recorder.reach.tests[path][line] |= set(tests)
        plain = Reach({path: dict(lines) for path, lines in recorder.reach.tests.items()})
        plain.seconds, plain.failed = recorder.reach.seconds, recorder.reach.failed
        answer.write_bytes(pickle.dumps(plain))
        os._exit(0)


class _Recorder:
    def __init__(self, tracer: coverage.Coverage) -> None:
        self._tracer = tracer
        self.reach = Reach()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._tracer.switch_context(item.nodeid)
        began = time.monotonic()
        result = yield
        self.reach.seconds[item.nodeid] = time.monotonic() - began
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.reach.failed.append(f"{report.nodeid}: {report.longreprtext}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.reach.failed.append(f"{report.nodeid}: {report.longreprtext}")
