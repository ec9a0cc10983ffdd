"""Scripts of the trainers' guides, each in its trainer's environment, print their logs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.clients.test_environments import run
from tests.conftest import ROOT, Stack, start_stack, stop_stack
from tests.trainers.pages import matches, read_block, write_files

GUIDES = "client/adapters/guides"
SHIPPED = ROOT / "service/reward_gateway/rewards.yaml"
SCRIPTS = {
    "tinker-cookbook": "tinker-cookbook",
    "art": "art",
    "evaluation-frameworks": "inspect-ai",
    "atropos": "atropos",
    "robots": "lerobot",
    "tunix": "tunix",
    "agent-lightning": "agent-lightning",
}
"""Guide -> environment."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With the recipe that the guides tell to serve, and the one of robots that ships."""
    folder = tmp_path_factory.mktemp("gateway")
    recipes = yaml.safe_load(read_block(f"{GUIDES}/trl.md", "file", "rewards.yaml"))
    recipes["rewards"]["robot_progress"] = yaml.safe_load(SHIPPED.read_text())["rewards"]["robot_progress"]
    (folder / "rewards.yaml").write_text(yaml.safe_dump(recipes, sort_keys=False))
    running = start_stack(
        folder / "serve.log", "--rewards-file", str(folder / "rewards.yaml"), "--models", "robot_progress"
    )
    yield running
    stop_stack(running)


@pytest.mark.parametrize(("guide", "environment"), SCRIPTS.items(), ids=list(SCRIPTS))
def test_the_script_prints_its_log(gateway: Stack, tmp_path: Path, guide: str, environment: str) -> None:
    page = f"{GUIDES}/{guide}.md"
    write_files(page, tmp_path)
    variables = {"REWARD_GATEWAY_URL": gateway.http, "REWARD_GATEWAY_REWARD": "sums", "REWARD_GATEWAY_RUN": guide}
    printed = run(environment, tmp_path, tmp_path / "play.py", PYTHONPATH=str(ROOT / "service"), **variables)
    log = read_block(page, "log", "play.py")
    assert matches("\n".join(printed.splitlines()[-len(log.splitlines()) :]), log), printed
