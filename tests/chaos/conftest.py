"""Faults and overload against instances of our own, on loopback, run by ``make test-chaos`` and not by ``make test``.

Every scenario sends its requests through the callers of :mod:`tests.chaos.callers`, which know the right score of
every text, and gives its figures to the fixture ``verdict``; a test fails if one of its figures misses its target.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.browser.conftest import chromium, elsewhere, tab, victim  # noqa: F401 - fixtures
from tests.chaos.callers import Ledger
from tests.chaos.stacks import Launch, Stacks
from tests.chaos.verdicts import Table, Target, Verdict, exactly

TABLE_FILE = os.environ.get("CHAOS_TABLE", "")
if not TABLE_FILE:
    collect_ignore_glob = ["test_*.py"]

TABLE = Table()


class GiveVerdict(Protocol):
    """Gives a figure with its target to the table: ``verdict("rejected p99", 12.5, at_most(50), "ms")``."""

    def __call__(self, name: str, figure: float, target: Target, unit: str = "") -> None: ...


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> GiveVerdict:
    """Gives a figure with its target to the table."""
    test = request.node.name.removeprefix("test_").replace("_", " ")

    def give(name: str, figure: float, target: Target, unit: str = "") -> None:
        TABLE.add(Verdict(test, name, float(figure), target, unit))

    return give


@pytest.fixture
def ledger(verdict: GiveVerdict) -> Ledger:
    """Checks every answer of a test; at its end the table says that no score was wrong and no rejection incomplete."""
    return Ledger()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Add what every scenario is held to, and fail a test one of whose figures missed its target."""
    outcome = yield
    arguments: dict[str, Any] = pyfuncitem.funcargs
    give, ledger = arguments.get("verdict"), arguments.get("ledger")
    if give is not None and ledger is not None and ledger.answered:
        give(f"wrong scores in {ledger.answered} answers", len(ledger.wrong), exactly(0), "")
        give("statuses outside of the closed set", len(ledger.strange), exactly(0), "")
        give("rejections without Retry-After", len(ledger.without_retry_after), exactly(0), "")
    missed = TABLE.list_missed(pyfuncitem.name.removeprefix("test_").replace("_", " ")) if give else []
    details = [*ledger.wrong[:3], *ledger.strange[:3], *ledger.without_retry_after[:3]] if ledger is not None else []
    assert not missed, "\n".join([*(" | ".join(row.cells) for row in missed), *map(str, details)])
    return outcome


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Starts stacks, which are stopped at the end of the module: ``launch("--workers", "2")``."""
    stacks = Stacks(tmp_path_factory)
    yield stacks.launch
    stacks.stop_all()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and write it to the file that ``make test-chaos`` names."""
    if TABLE.rows:
        TABLE.write(Path(TABLE_FILE))
        terminalreporter.section("verdicts")
        for line in TABLE.lines():
            terminalreporter.line(line)
        terminalreporter.line(f"written to {TABLE_FILE}")
