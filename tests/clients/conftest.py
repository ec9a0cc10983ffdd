"""Tests that run trainers' own clients, in environments that ``make test-clients`` prepares; ``make test`` has none."""

import json
import os
from pathlib import Path
from typing import Any

from tests.clients.clients import CLIENTS, RECORD, RESULTS

if "CLIENTS_FOLDER" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

COLUMNS = ("client", "version", "configuration read by", "equal scores", "one fails", "503", "no service")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table; with ``CLIENTS_RECORD=1``, keep it for the documentation."""
    if not RESULTS:
        return
    rows = [COLUMNS] + [
        (
            f"{row['package']} ({name})",
            row["version"],
            row.get("configuration") or "-",
            *(row.get(key, "FAILED") for key in ("scored", "one_fails", "unavailable", "dead")),
        )
        for name, row in RESULTS.items()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        terminalreporter.write_line(" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    if os.environ.get("CLIENTS_RECORD"):
        keep_record(RECORD, RESULTS)


def keep_record(path: Path, found: dict[str, dict[str, Any]]) -> None:
    """Add to the record what passed everything, and take out what did not, in the order of the clients."""
    known = json.loads(path.read_text()) if path.exists() else {}
    whole = {name: row for name, row in found.items() if row.keys() >= {"scored", "one_fails", "unavailable", "dead"}}
    known = {name: row for name, row in known.items() if name not in found} | whole
    ordered = {client.probe: known[client.probe] for client in CLIENTS if client.probe in known}
    path.write_text(json.dumps(ordered, indent=1) + "\n")
