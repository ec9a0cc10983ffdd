"""The guide's page on moving from verl's reward functions: its script runs in verl's environment and prints its log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.test_environments import run
from tests.conftest import ROOT, Stack, start_stack, stop_stack
from tests.trainers.pages import matches, read_block, write_files

PAGE = "guide/pages/migrate/verl-reward-functions.md"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Stack]:
    """With the recipe of the page."""
    write_files(PAGE, tmp_path)
    running = start_stack(
        tmp_path / "serve.log", "--rewards-file", str(tmp_path / "rewards.yaml"), "--models", "text_preference"
    )
    yield running
    stop_stack(running)


def test_verls_own_scores_and_the_recipes_stand_side_by_side(gateway: Stack, tmp_path: Path) -> None:
    variables = {"REWARD_GATEWAY_URL": gateway.http, "PYTHONPATH": str(ROOT / "service")}
    printed = run("verl", tmp_path, tmp_path / "compare.py", **variables)
    assert matches(printed, read_block(PAGE, "log", "compare.py")), printed
