"""The guide of a decoupled trainer: its two scripts run as two processes, and either may be lost."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from reward_gateway.client import RewardClient

from tests.client.conftest import Service, serving
from tests.conftest import ROOT

FOLDER = ROOT / "service/reward_gateway/client/adapters/guides"
GUIDE = (FOLDER / "decoupled.md").read_text()
SCRIPTS = dict(re.findall(r"^```python file=(\S+)\n(.*?)^```$", GUIDE, flags=re.M | re.S))
RECIPES = re.search(r"^```yaml file=rewards.yaml\n(.*?)^```$", (FOLDER / "trl.md").read_text(), flags=re.M | re.S)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Service]:
    assert RECIPES is not None
    yield from serving(RECIPES[1])


def start(script: str, folder: Path, url: str, run: str) -> subprocess.Popen[str]:
    (folder / script).write_text(SCRIPTS[script])
    env = {**os.environ, "REWARD_GATEWAY_URL": url, "REWARD_GATEWAY_RUN": run}
    command = [sys.executable, script]
    return subprocess.Popen(command, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def end(process: subprocess.Popen[str]) -> list[str]:
    said, failed = process.communicate(timeout=120)
    assert process.returncode == 0, failed
    return said.splitlines()


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_one_process_submits_and_another_trains_on_every_group_once(
    gateway: Service, tmp_path: Path, transport: str
) -> None:
    url = gateway.url if transport == "http" else gateway.grpc_url
    consumer = start("consume.py", tmp_path, url, f"both-{transport}")
    submitted = end(start("submit.py", tmp_path, url, f"both-{transport}"))
    trained = end(consumer)
    assert [line.rpartition(" as ")[0] for line in submitted] == [f"submitted step {step}" for step in range(4)]
    groups = [re.match(r"trained on (.*): \[(.*)\]", line) for line in trained]
    assert sorted(group[1] for group in groups if group) == sorted(
        f"step {step}, prompt {prompt}" for step in range(4) for prompt in range(2)
    )
    assert all(len(group[2].split(",")) == 4 for group in groups if group)


def test_what_a_lost_consumer_had_taken_comes_again_and_a_repeated_step_is_the_same_job(
    gateway: Service, tmp_path: Path
) -> None:
    submitted = end(start("submit.py", tmp_path, gateway.url, "lost"))
    assert end(start("submit.py", tmp_path, gateway.url, "lost")) == submitted
    with RewardClient(gateway.url, run="lost") as client:
        assert client.run().take(wait_s=20, visibility_s=1)
        assert len(end(start("consume.py", tmp_path, gateway.url, "lost"))) == 8
        assert client.run().empty() == 0


def test_the_guide_is_found() -> None:
    for page in (FOLDER / "README.md", FOLDER.parent / "README.md"):
        assert "decoupled.md)" in page.read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", GUIDE):
        assert (FOLDER / link).exists(), link
