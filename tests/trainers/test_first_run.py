"""The page on a first GRPO run, as it stands: its reward is measured and attacked, TRL trains, the run is seen."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, Stack, start_stack, stop_stack
from tests.trainers.pages import matches, read_block, read_shortened, read_steps, write_files
from tests.trainers.scripts import finish
from tests.trainers.seen_live import check_history

PAGE = "guide/pages/start/first-grpo-run.md"
RUN = "first-1"
SHOWN = (1, 120, 240)
"""The steps whose lines the page shows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's, with the files of the page."""
    made = tmp_path_factory.mktemp("first")
    write_files(PAGE, made)
    return made


@pytest.fixture(scope="module")
def gateway(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    flags = ("--rewards-file", str(folder / "rewards.yaml"), "--keep-samples", "10000", "--models", "text_preference")
    running = start_stack(tmp_path_factory.mktemp("serve") / "log", *flags)
    yield running
    stop_stack(running)


def run_commands(script: str, folder: Path, url: str) -> str:
    """What commands of the page print on the standard output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "REWARD_GATEWAY_URL": url}
    done = subprocess.run(["bash", script], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_reward_is_measured_and_the_draft_falls(gateway: Stack, folder: Path) -> None:
    printed = run_commands("measure.sh", folder, gateway.http)
    assert matches(printed[printed.index("pairs.jsonl:") :], read_block(PAGE, "log", "measure.sh")), printed


def test_trl_trains_and_the_run_is_seen_live(gateway: Stack, folder: Path) -> None:
    variables = {"REWARD_GATEWAY_URL": gateway.http, "REWARD_GATEWAY_RUN": RUN, "PYTHONPATH": str(ROOT / "service")}
    script = folder / "train.py"
    steps = read_steps(finish(os.environ["TRAINERS_PYTHON"], script, folder=str(folder), **variables))
    means = [row["rewards/sums/mean"] for row in steps]
    assert statistics.mean(means[-20:]) > statistics.mean(means[:20]) + 0.5
    assert all(row["sums/unscored"] == 0 for row in steps)
    shown = read_shortened(read_block(PAGE, "log", "train.py"))
    assert len(shown) == len(SHOWN)
    assert all(line.keys() <= steps[step - 1].keys() for step, line in zip(SHOWN, shown, strict=True))
    first = ("rewards/sums/mean", "rewards/sums/std", "frac_reward_zero_std", "entropy")
    assert {name: shown[0][name] for name in first} == pytest.approx({name: steps[0][name] for name in first}, abs=0.05)
    assert shown[-1]["rewards/sums/mean"] == pytest.approx(means[-1], abs=0.3)

    history = check_history(gateway.http, RUN, dict(enumerate(steps, 1)), ["sums"], 64)
    series = history["rewards"]["sums"]["series"]
    for row, step in zip(series, steps, strict=True):
        assert row["zero_variance_share"] >= step["frac_reward_zero_std"], "TRL misses equal rewards that it rounds"
    assert series[-1].keys() >= {"components", "length_correlation", "invalid"}
    run_commands("report.sh", folder, gateway.http)
    assert "sums" in (folder / "first-1.html").read_text()
    kept = httpx.get(f"{gateway.http}/v1/samples", params={"run": RUN}).raise_for_status().json()
    assert kept["samples"]
