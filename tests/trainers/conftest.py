"""Tests that train, in environments that ``make test-trainers`` prepares; ``make test`` leaves them out."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Stack, start_stack, stop_stack
from tests.trainers.native import COMPARISONS
from tests.trainers.scripts import finish

if "TRAINERS_PYTHON" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

COLUMNS = ("trainer", "version", "recipe", "steps", "rewards", "left out", "largest difference from native")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The recipes that ship, and the model of ``helpful``."""
    running = start_stack(tmp_path_factory.mktemp("service") / "serve.log", "--models", "text_preference")
    yield running
    stop_stack(running)


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What policy.py makes."""
    folder = tmp_path_factory.mktemp("policy")
    finish(os.environ["TRAINERS_PYTHON"], "policy.py", str(folder))
    return folder


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was trained on and compared."""
    rows = [COLUMNS] + [
        (
            row.trainer,
            row.version,
            row.recipe,
            str(row.steps),
            str(row.rewards),
            str(row.left_out),
            f"{row.largest_difference:.1e}",
        )
        for row in COMPARISONS
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows if COMPARISONS else []:
        terminalreporter.write_line(" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
