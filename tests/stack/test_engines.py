"""Models whose network runs in a process beside Triton: the gateway sees them like any other, and survives their end.

The real torch is used where `make convert` has made an environment (`make test-convert` runs this too); the rest runs
everywhere, on an engine that does arithmetic.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml
from reward_models.convert.samples import EXCHANGES
from reward_models.repository import card as cards
from reward_models.repository import versions

from tests.conftest import ROOT, start_stack, stop_stack
from tests.families import find_one, has_in_command

if TYPE_CHECKING:
    from tests.conftest import Stack

# The first test waits for two conversions and Triton, which take a busy machine long.
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

CONVERTED = ROOT / "tests" / "models" / "convert" / "converted"
ARITHMETIC = ROOT / "tests" / "models" / "convert" / "engines" / "arithmetic_engine.py"
TORCH = Path(os.environ.get("REWARD_MODELS_CONVERT_PYTHON") or ROOT / ".local" / "convert" / "bin" / "python")
needs_torch = pytest.mark.skipif(not TORCH.is_file(), reason="no torch: `make convert` makes an environment with it")


def stage_arithmetic(folder: Path, name: str) -> Path:
    """A model whose network is the stand-in for vLLM."""
    shutil.copytree(CONVERTED / "chat", folder, ignore=shutil.ignore_patterns("scores.json", "model.onnx*"))
    card = yaml.safe_load((folder / "card.yaml").read_text())
    card["name"] = name
    card["settings"]["network"] = {"engine": "vllm", "dtype": "float32", "trust_remote_code": False, "options": {}}
    card["files"] = {file: entry for file, entry in card["files"].items() if not file.startswith("model.onnx")}
    (folder / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    configuration = (folder / "config.pbtxt").read_text().replace('name: "chat"', f'name: "{name}"')
    (folder / "config.pbtxt").write_text(configuration)
    return folder


def add_by(engine: str, checkpoint: Path, repository: Path) -> None:
    """``models add`` in the environment that has torch."""
    command = [str(TORCH), "-W", "ignore", "-m", "reward_models.convert", f"--engine={engine}", f"--name=by_{engine}"]
    subprocess.run(
        [*command, f"--repository={repository}", "--", str(checkpoint)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "models")},
        check=True,
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "repository"
    folder.mkdir()
    versions.publish_version(folder, "arithmetic", stage_arithmetic(folder.parent / "arithmetic", "arithmetic"))
    if TORCH.is_file():
        checkpoint = folder.parent / "checkpoint"
        made = [str(TORCH), "-W", "ignore", "-m", "reward_models.convert.tiny", "qwen3", str(checkpoint)]
        subprocess.run(made, env=os.environ | {"PYTHONPATH": str(ROOT / "models")}, check=True)
        for engine in ("onnx", "torch"):
            add_by(engine, checkpoint, folder)
    return folder


@pytest.fixture(scope="module")
def service(repository: Path) -> "Iterator[Stack]":
    python = repository.parent / "python"
    python.write_text(
        f"#!/bin/sh\nexport PYTHONPATH='{ROOT / 'models'}'\nexec '{sys.executable}' '{ARITHMETIC}' \"$@\"\n"
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    rewards = repository.parent / "rewards.yaml"
    names = [path.parent.name for path in repository.glob("*/card.yaml")]
    recipes = {name: {"components": {"a": {"score": name}}} for name in names}
    rewards.write_text(yaml.safe_dump({"rewards": recipes}))
    flags = ["--model-repository", str(repository), "--rewards-file", str(rewards)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REWARD_MODELS_VLLM_PYTHON", str(python))
        running = start_stack(repository.parent / "serve.log", *flags)
    yield running
    stop_stack(running)


def score(service: "Stack", model: str, exchanges: Sequence[tuple[str, str]]) -> httpx.Response:
    samples = [{"prompt": prompt, "response": response} for prompt, response in exchanges]
    asked = {"reward": model, "samples": samples, "options": {"cache": "off"}}
    return httpx.post(f"{service.http}/v1/score", json=asked, timeout=60)


def rewards_of(service: "Stack", model: str, exchanges: Sequence[tuple[str, str]] = EXCHANGES) -> list[float]:
    answer = score(service, model, exchanges)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert all(result["valid"] for result in results), results
    return [result["reward"] for result in results]


@needs_torch
def test_the_same_checkpoint_scores_the_same_by_torch_and_as_a_graph(service: "Stack") -> None:
    by_torch, by_onnx = rewards_of(service, "by_torch"), rewards_of(service, "by_onnx")
    assert by_torch == pytest.approx(by_onnx, abs=1e-4)
    assert len({round(reward, 3) for reward in by_torch}) > 4


@needs_torch
def test_alone_it_scores_as_among_others(service: "Stack") -> None:
    together = rewards_of(service, "by_torch")
    alone = [reward for exchange in EXCHANGES for reward in rewards_of(service, "by_torch", [exchange])]
    assert alone == pytest.approx(together, abs=1e-5)


def test_it_is_listed_like_any_model(service: "Stack", repository: Path) -> None:
    listed = {model["name"]: model for model in httpx.get(f"{service.http}/v1/models", timeout=60).json()["models"]}
    model = listed["arithmetic"]
    assert model["ready"]
    assert model["dimensions"] == ["reward"]
    assert model["version"] == f"1-{cards.read_card(repository / 'arithmetic').version}"


def test_a_process_that_is_killed_costs_no_number_and_comes_back(service: "Stack") -> None:
    before = rewards_of(service, "arithmetic")
    os.kill(find_one(service.process.pid, has_in_command(str(ARITHMETIC))), signal.SIGKILL)
    failed, end = [], time.monotonic() + 60
    while (answer := score(service, "arithmetic", EXCHANGES)).status_code == 503 and time.monotonic() < end:
        failed.append(answer.json())
        time.sleep(0.1)
    assert failed
    assert all(any(code in str(each) for code in ("model_unavailable", "overloaded")) for each in failed), failed
    assert rewards_of(service, "arithmetic") == before
