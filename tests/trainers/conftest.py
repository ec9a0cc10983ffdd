"""Tests that train, in environments that ``make test-trainers`` prepares; ``make test`` leaves them out."""

import os
from typing import Any

from tests.trainers.native import COMPARISONS

if "TRAINERS_PYTHON" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

COLUMNS = ("trainer", "version", "recipe", "steps", "rewards", "left out", "largest difference from native")


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
