"""A fleet of gateways behind HAProxy in network namespaces, run by ``make test-fleet`` and not by ``make test``.

The parts (stores, Tritons, the upstream) are started once; a test says how many gateways it wants, and with which
flags. Figures with their targets go to a table, which is written at the end with what :mod:`.measuring` measured.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.callers import Ledger
from tests.chaos.conftest import GiveVerdict
from tests.chaos.verdicts import Table, Target, Verdict
from tests.fleet.fleet import Fleet
from tests.fleet.network import Network

TABLE_FILE = os.environ.get("FLEET", "")
if not TABLE_FILE:
    collect_ignore_glob = ["test_*.py"]

TABLE = Table()
PAGES: list[str] = []
"""Further Markdown of the report."""


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Both stores, both Tritons and the upstream, without a gateway yet."""
    running = Fleet(Network(), tmp_path_factory.mktemp("fleet"))
    try:
        running.start_parts()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def four(fleet: Fleet) -> Fleet:
    """Four gateways."""
    fleet.start_gateways(4)
    return fleet


@pytest.fixture
def ledger() -> Ledger:
    """What was answered."""
    return Ledger()


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> GiveVerdict:
    """Gives a figure with its target to the table, and fails the test if it is missed."""
    test = request.node.name.removeprefix("test_").replace("_", " ")

    def give(name: str, figure: float, target: Target, unit: str = "") -> None:
        row = Verdict(test, name, float(figure), target, unit)
        TABLE.add(row)
        assert row.is_met, " | ".join(row.cells)

    return give


@pytest.fixture
def report() -> Callable[[str], None]:
    """Adds Markdown to what is written at the end."""
    return PAGES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables, and write them to the file that ``make test-fleet`` names."""
    if not TABLE.rows and not PAGES:
        return
    text = "\n\n".join(["\n".join(TABLE.lines()), *PAGES])
    file = Path(TABLE_FILE)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="utf-8")
    terminalreporter.section("fleet")
    terminalreporter.write_line(text)
    terminalreporter.write_line(f"written to {TABLE_FILE}")
