"""TRL trains a small model with GRPO, rewarded by the running service through its URL."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, stop_stack
from tests.trainers.mortal import Mortal
from tests.trainers.seen_live import check_history

RECIPES = """
rewards:
  right:
    components: {answer: {score: token_f1}}
  terse:
    components: {brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.1}}}
  ten_and_right:
    description: Between 10 and 11, so that a zero is none of its rewards.
    components: {answer: {score: token_f1, transforms: [{affine: {shift: 10.0}}]}}
default: right
"""


@dataclass
class Training:
    """A run of grpo.py under way."""

    process: subprocess.Popen[str]
    out: Path

    def wait_step(self, step: int) -> None:
        """Until the step is done."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == f"step {step}":
                return
        pytest.fail(f"training ended before step {step}, status {self.process.wait()}")

    def result(self) -> dict[str, Any]:
        """Its record, once it has ended well."""
        said, _ = self.process.communicate(timeout=240)
        assert self.process.returncode == 0, said[-3000:]
        record: dict[str, Any] = json.loads(self.out.read_text())
        return record


def train(
    url: str,
    folder: Path,
    steps: int,
    *recipes: str,
    pause_s: float = 0.0,
    timeout_s: float = 60.0,
    jobs: bool = False,
    run: str = "",
) -> Training:
    variables = {
        "REWARD_GATEWAY_JOBS": str(int(jobs)),
        "REWARD_GATEWAY_RUN": run,
        "REWARD_GATEWAY_URL": url,
        "REWARD_GATEWAY_TIMEOUT_S": str(timeout_s),
        "PYTHONPATH": str(ROOT / "service"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    out = folder / "out.json"
    command = [os.environ["TRAINERS_PYTHON"], str(Path(__file__).with_name("grpo.py")), str(out), str(steps)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen([*command, str(pause_s), *recipes], env={**os.environ, **variables}, **pipes)
    return Training(process, out)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "rewards.yaml").write_text(RECIPES)
    running = Mortal.begin(folder, "--rewards-file", str(folder / "rewards.yaml"), "--models", "text_preference")
    yield running
    stop_stack(running.stack)


def steps_of(record: dict[str, Any], name: str) -> list[float]:
    return [row[name] for row in record["log"] if name in row]


def test_the_reward_of_two_recipes_at_once_rises(service: Mortal, tmp_path: Path) -> None:
    record = train(service.url, tmp_path, 40, "right", "terse", run="two-at-once").result()
    rewards = steps_of(record, "reward")
    assert len(rewards) == 40
    assert statistics.mean(rewards[-5:]) > statistics.mean(rewards[:5]) + 0.5
    for recipe in ("right", "terse"):
        means = steps_of(record, f"rewards/{recipe}/mean")
        assert statistics.mean(means[-5:]) > statistics.mean(means[:5])
        assert all(reward is not None for batch in record["heard"][recipe] for reward in batch)
    logged = {row["step"]: row for row in record["log"] if "reward" in row}
    check_history(service.url, "two-at-once", logged, ("right", "terse"), 32)


@pytest.mark.parametrize("jobs", [False, True], ids=["requests", "jobs"])
def test_a_service_that_dies_and_comes_back_in_time_costs_no_step_and_no_reward(
    service: Mortal, tmp_path: Path, jobs: bool
) -> None:
    training = train(service.url, tmp_path, 30, "ten_and_right", pause_s=0.1, timeout_s=120, jobs=jobs)
    training.wait_step(8)
    service.kill()
    time.sleep(2.0)
    service.start()
    record = training.result()
    given = [reward for batch in record["heard"]["ten_and_right"] for reward in batch]
    assert len(steps_of(record, "reward")) == 30
    assert len(given) == 30 * 32
    assert all(reward is not None and 10.0 <= reward <= 11.0 for reward in given)
    means = steps_of(record, "rewards/ten_and_right/mean")
    assert statistics.mean(means[-5:]) > statistics.mean(means[:5])


def test_a_service_that_stays_away_too_long_leaves_samples_out_and_never_gives_a_zero(
    service: Mortal, tmp_path: Path
) -> None:
    training = train(service.url, tmp_path, 60, "ten_and_right", pause_s=0.5, timeout_s=0.5)
    training.wait_step(8)
    service.kill()
    training.wait_step(12)
    service.start()
    record = training.result()
    batches = record["heard"]["ten_and_right"]
    missing = [batch for batch in batches if batch[0] is None]
    assert len(batches) == 60
    assert 3 <= len(missing) < 60
    assert batches[-1][0] is not None, "it came back"
    assert all(all(reward is None for reward in batch) for batch in missing), "a request fails as a whole"
    assert all(10.0 <= reward <= 11.0 for batch in batches if batch[0] is not None for reward in batch)
    assert record["finite"]
