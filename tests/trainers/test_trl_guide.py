"""The script of the guide to TRL, as it stands, with a policy that is made on the spot."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Stack, start_stack, stop_stack
from tests.trainers.pages import read_block, read_shortened, read_steps, write_files
from tests.trainers.scripts import finish
from tests.trainers.seen_live import check_history

PAGE = "client/adapters/guides/trl.md"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Stack]:
    """With the recipe of the guide."""
    write_files(PAGE, tmp_path)
    recipes = str(tmp_path / "rewards.yaml")
    running = start_stack(tmp_path / "serve.log", "--rewards-file", recipes, "--models", "text_preference")
    yield running
    stop_stack(running)


def test_the_script_trains_and_its_log_has_the_keys_of_the_guide(gateway: Stack, policy: Path, tmp_path: Path) -> None:
    variables = {"REWARD_GATEWAY_URL": gateway.http, "REWARD_GATEWAY_RUN": "sums-1", "CPU": "1"}
    model = {"MODEL": str(policy / "policy"), "PYTHONPATH": str(ROOT / "service")}
    script = tmp_path / "train.py"
    steps = read_steps(finish(os.environ["TRAINERS_PYTHON"], script, folder=str(tmp_path), **variables, **model))
    assert len(steps) == 4
    assert all(row["sums/unscored"] == 0 for row in steps)
    (shown,) = read_shortened(read_block(PAGE, "log", "train.py"))
    assert shown.keys() <= steps[0].keys()
    check_history(gateway.http, "sums-1", dict(enumerate(steps, 1)), ["sums"], 8)
