"""The training of the guide's page on jobs: what TRL logs is what native requests answer afterwards."""

import json
import os
import re
import statistics
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.conftest import ROOT, Stack
from tests.documents import read_blocks
from tests.trainers.native import Trained, close_to, compare, count_of_jobs
from tests.trainers.scripts import finish, version_of

RECIPES = ("math", "helpful", "grpo")
GROUP = 4


def find_script() -> str:
    """What the guide tells a user of TRL to write."""
    page = (ROOT / "service/reward_gateway/guide/pages/use/jobs.md").read_text("utf-8")
    (block,) = [block for block in read_blocks(page) if block.mark == "file=train.py"]
    return block.text


def rule_of_math(row: dict[str, Any]) -> float | None:
    """Whether the number in its place is the right one; None for an answer without that place."""
    asked = re.search(r"What is (\d+) \+ (\d+)\?", row["prompt"][-1]["content"])
    answered = re.fullmatch(r"<think>[^<]*</think><answer>(\d+)</answer>", row["completion"][0]["content"])
    assert asked is not None
    return None if answered is None else float(int(answered[1]) == int(asked[1]) + int(asked[2]))


def normalise(rewards: list[float]) -> list[float]:
    """GRPO's advantage, as TRL computes it and as the recipe ``grpo`` does."""
    mean, spread = statistics.mean(rewards), statistics.stdev(rewards)
    return [(reward - mean) / (spread + 1e-4) for reward in rewards]


def groups_of(column: list[float]) -> list[list[float]]:
    return [column[first : first + GROUP] for first in range(0, len(column), GROUP)]


@pytest.fixture(scope="module")
def trained(service: Stack, policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the page's script has run."""
    folder = tmp_path_factory.mktemp("trained")
    script = folder / "train.py"
    script.write_text(find_script())
    variables = {"REWARD_GATEWAY_URL": service.http, "PYTHONPATH": str(ROOT / "service")}
    before = count_of_jobs(service.http)
    finish(os.environ["TRAINERS_PYTHON"], script, folder=str(folder), MODEL=str(policy / "policy"), **variables)
    assert count_of_jobs(service.http) == before + 4 * 8 * len(RECIPES), "each sample of each recipe, by a job"
    return folder


@pytest.fixture(scope="module")
def steps(trained: Path) -> list[list[dict[str, Any]]]:
    """What TRL wrote of each step's completions: ``prompt``, ``completion``, a column per recipe, ``advantage``."""
    files = sorted((trained / "out" / "completions").glob("*.parquet"))
    assert [file.name for file in files] == [f"completions_{step:05d}.parquet" for step in (1, 2, 3, 4)]
    return [pyarrow.parquet.read_table(file).to_pylist() for file in files]


@pytest.fixture(scope="module")
def native(service: Stack, steps: list[list[dict[str, Any]]]) -> dict[str, list[list[float]]]:
    """The rewards of each recipe and step by native requests, each of which the logged rewards were compared with."""
    found: dict[str, list[list[float]]] = {recipe: [] for recipe in RECIPES}
    version = version_of(os.environ["TRAINERS_PYTHON"], "trl")
    for recipe in RECIPES:
        samples = [
            Trained(
                row["prompt"],
                row["completion"][0]["content"],
                str(sum(map(int, re.findall(r"\d+", row["prompt"][-1]["content"])))),
                row[recipe],
                group=f"step {step}: {row['prompt'][-1]['content']}",
            )
            for step, rows in enumerate(steps)
            for row in rows
        ]
        rewards = [result["reward"] for result in compare("TRL, jobs", version, service.http, recipe, 4, samples)]
        found[recipe] = [rewards[first : first + 8] for first in range(0, len(rewards), 8)]
    return found


def test_the_logged_reward_of_each_completion_is_the_native_one(
    steps: list[list[dict[str, Any]]], native: dict[str, list[list[float]]]
) -> None:
    assert [len(rows) for rows in steps] == [8, 8, 8, 8]
    for recipe in RECIPES:
        logged = [row[recipe] for rows in steps for row in rows]
        assert logged == close_to([reward for rewards in native[recipe] for reward in rewards])
        assert len({round(reward, 3) for reward in logged}) > 1, "it tells completions apart"


def test_the_logged_rewards_are_those_of_the_rule_and_of_its_comparison_within_the_group(
    steps: list[list[dict[str, Any]]],
) -> None:
    rows = [row for rows in steps for row in rows]
    ruled = [(row["math"], rule) for row in rows if (rule := rule_of_math(row)) is not None]
    assert all(logged == rule for logged, rule in ruled)
    assert {rule for _, rule in ruled} == {0.0, 1.0}
    compared = 0
    for first in range(0, len(rows), GROUP):
        members = rows[first : first + GROUP]
        if all(rule_of_math(row) is not None for row in members):  # the form counts 0.1 in each
            assert [row["grpo"] for row in members] == pytest.approx(
                normalise([row["math"] + 0.1 for row in members]), rel=1e-4, abs=1e-4
            )
            compared += 1
    assert compared


def test_the_log_has_the_means_and_spreads_of_the_native_rewards(
    trained: Path, steps: list[list[dict[str, Any]]], native: dict[str, list[list[float]]]
) -> None:
    history = json.loads((trained / "out" / "trainer_state.json").read_text())["log_history"]
    log = [entry for entry in history if "reward" in entry]
    assert [entry["step"] for entry in log] == [1, 2, 3, 4]
    for step, entry in enumerate(log):
        for recipe in RECIPES:
            rewards = native[recipe][step]
            assert entry[f"rewards/{recipe}/mean"] == close_to(statistics.mean(rewards))
            assert entry[f"rewards/{recipe}/std"] == close_to(statistics.stdev(rewards))
            assert entry[f"{recipe}/unscored"] == 0.0
        sums = [sum(rewards) for rewards in zip(*(native[recipe][step] for recipe in RECIPES), strict=True)]
        assert entry["reward"] == close_to(statistics.mean(sums))
        assert entry["reward_std"] == close_to(statistics.stdev(sums))
        expected = [advantage for group in groups_of(sums) for advantage in normalise(group)]
        assert [row["advantage"] for row in steps[step]] == pytest.approx(expected, rel=1e-3, abs=1e-3)
