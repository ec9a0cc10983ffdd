"""The guide's page on moving from TRL's reward functions: its script runs beside TRL and prints its log."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Stack, start_stack, stop_stack
from tests.trainers.pages import matches, read_block, write_files
from tests.trainers.scripts import finish

PAGE = "guide/pages/migrate/trl-reward-functions.md"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Stack]:
    """With the recipe of the page."""
    write_files(PAGE, tmp_path)
    recipes = str(tmp_path / "rewards.yaml")
    running = start_stack(tmp_path / "serve.log", "--rewards-file", recipes, "--models", "text_preference")
    yield running
    stop_stack(running)


def test_the_functions_and_the_recipe_give_the_same_rewards(gateway: Stack, tmp_path: Path) -> None:
    variables = {"REWARD_GATEWAY_URL": gateway.http, "PYTHONPATH": str(ROOT / "service")}
    printed = finish(os.environ["TRAINERS_PYTHON"], tmp_path / "compare.py", folder=str(tmp_path), **variables)
    assert matches(printed, read_block(PAGE, "log", "compare.py")), printed
