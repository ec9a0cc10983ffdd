"""verl's whole reward loop, with its workers in processes of Ray, over a mixed batch that is scored by jobs."""

import json
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.test_environments import PROBES, run
from tests.conftest import ROOT, Stack

SETTINGS = "+reward.custom_reward_function.reward_kwargs"
FUNCTION = (
    "reward.custom_reward_function.path=pkg://reward_gateway.client.adapters.verl",
    "reward.custom_reward_function.name=compute_score",
)
MANAGER = (
    "reward.reward_manager.source=importlib",
    "reward.reward_manager.name=RewardGatewayManager",
    "reward.reward_manager.module.path=pkg://reward_gateway.client.adapters.verl_manager",
)


def sample(source: str, prompt: str, response: str, reference: str) -> dict[str, Any]:
    return {"prompt": prompt, "response": response, "reference": reference, "metadata": {"data_source": source}}


SAMPLES = [
    sample("sums", "What is 6 times 7?", "It is 42", "42"),
    sample("sums", "What is 6 times 7?", "It is 41", "42"),
    sample("words", "Which number comes after one?", "number two", "two"),
    sample("words", "Which number comes after two?", "three", "three"),
    sample("words", "Which number comes after three?", "no idea", "four"),
    sample("sums", "What is 2 plus 2?", "I think that it is 4", "4"),
    sample("sums", "What is 2 plus 3?", "5 or 6", "5"),
]
"""Right and wrong ones of two sources; an odd number, which the workers share after verl has filled it up."""


def count_jobs(service: Stack) -> float:
    page = httpx.get(f"{service.http}/metrics", timeout=60).raise_for_status().text
    (line,) = [line for line in page.splitlines() if line.startswith("reward_gateway_job_samples_scored_total ")]
    return float(line.split()[1])


def score_by_the_loop(service: Stack, folder: Path, samples: list[dict[str, Any]], *lines: str) -> dict[str, Any]:
    """What verl's reward loop answers to a batch, with our adapter told to score by jobs."""
    (folder / "samples.json").write_text(json.dumps(samples))
    settings = [f"{SETTINGS}.url={service.http}", f"{SETTINGS}.reward=by_source", f"{SETTINGS}.jobs=true"]
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as temp:  # short: it holds sockets
        run(
            "verl", folder, PROBES / "verl_loop.py", "samples.json", "answers.json", temp, *lines, *settings,
            PYTHONPATH=str(ROOT / "service"), HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", RAY_USAGE_STATS_ENABLED="0",
        )  # fmt: skip
    found: dict[str, Any] = json.loads((folder / "answers.json").read_text())
    return found


@pytest.mark.parametrize("lines", [FUNCTION, MANAGER], ids=["function", "manager"])
def test_each_sample_has_the_native_score_of_its_source(service: Stack, tmp_path: Path, lines: tuple[str, ...]) -> None:
    before = count_jobs(service)
    run = f"verl-{tmp_path.name}"
    sent = [{**one, "step": 7} for one in SAMPLES]
    found = score_by_the_loop(service, tmp_path, sent, *lines, f"{SETTINGS}.run={run}")
    assert count_jobs(service) >= before + len(SAMPLES)
    body = {"reward": "by_source", "samples": SAMPLES, "options": {"cache": "off"}}
    results = httpx.post(f"{service.http}/v1/score", json=body, timeout=120).raise_for_status().json()["results"]
    expected = [result["reward"] for result in results]
    right = [result["components"]["right"]["value"] for result in results]
    assert right == [1.0, 0.0, pytest.approx(2 / 3), 1.0, 0.0, 1.0, 0.0]
    assert found["scores"] == pytest.approx(expected, abs=1e-5)
    assert len(set(found["scores"])) > 4, "order can be told"
    assert found["columns"]["score"] == pytest.approx(expected, abs=1e-5)
    assert found["columns"]["right"] == pytest.approx(right, abs=1e-5)
    history = httpx.get(f"{service.http}/v1/runs/{run}", params={"bucket": "step"}).raise_for_status().json()
    assert {row["step"] for row in history["rewards"]["by_source"]["series"]} == {7}


def test_a_sample_of_an_unknown_source_stops_the_loop(service: Stack, tmp_path: Path) -> None:
    samples = [*SAMPLES[:2], sample("pictures", "What is it?", "a cat", "a cat")]
    with pytest.raises(AssertionError, match="missing_field"):
        score_by_the_loop(service, tmp_path, samples, *FUNCTION)
