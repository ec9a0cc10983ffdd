"""Tests that run trainers' own clients, in environments that ``make test-clients`` prepares; ``make test`` has none."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.clients import CLIENTS, OUTCOMES, RECORD, RESULTS
from tests.conftest import Stack, start_stack, stop_stack

if "CLIENTS_FOLDER" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

RECIPES = """
rewards:
  right:
    components: {answer: {score: token_f1}}
    guards: [{empty_response: {action: invalid}}]
  brief:
    components: {brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.125}}}
    guards: [{empty_response: {action: invalid}}]
  preferred:
    components: {helpful: {score: text_preference}}
  compared:
    components: {answer: {score: token_f1}}
    guards: [{empty_response: {action: invalid}}]
    group: {normalize: mean}
  progress:
    components: {progress: {score: robot_progress, dimension: progress}}
  solved:
    components: {success: {score: robot_progress, dimension: success}}
  aligned:
    components: {alignment: {score: image_text_alignment}}
  misaligned:
    components: {alignment: {score: image_text_alignment, transforms: [{affine: {scale: -1.0}}]}}
  by_source:
    components:
      right:
        score:
          by: metadata.data_source
          cases: {sums: {score: numeric_match}, words: {score: token_f1}}
          default: invalid
      helpful: {score: text_preference, when: {right: {at_least: 1}}, otherwise: 0.0}
    combine: weighted_sum
default: brief
"""
GROUPED = "compared"
"""The recipe that compares the samples of a group."""

MODELS = "text_preference,robot_progress,image_text_alignment"
TASKS = [{"prompt": "What is 2 + 2?", "reference": "4"}, {"prompt": "What is 3 + 3?", "reference": "6"}]

COLUMNS = ("client", "version", "configuration read by", "equal scores", "one fails", "503", "no service")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The service with a file of tasks, started once."""
    folder = tmp_path_factory.mktemp("service")
    recipes, tasks = folder / "rewards.yaml", folder / "tasks.jsonl"
    recipes.write_text(RECIPES)
    tasks.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    files = ("--rewards-file", str(recipes), "--tasks-file", str(tasks))
    running = start_stack(folder / "serve.log", *files, "--models", MODELS)
    yield running
    stop_stack(running)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table; with ``CLIENTS_RECORD=1``, keep it for the documentation."""
    if not RESULTS:
        return
    rows = [COLUMNS] + [
        (
            f"{row['package']} ({name})",
            row["version"],
            row.get("configuration") or "-",
            *(row.get(key, "FAILED") for key in OUTCOMES),
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
    whole = {name: row for name, row in found.items() if row.keys() >= {*OUTCOMES}}
    known = {name: row for name, row in known.items() if name not in found} | whole
    ordered = {client.probe: known[client.probe] for client in CLIENTS if client.probe in known}
    path.write_text(json.dumps(ordered, indent=1) + "\n")
