"""TRL's asynchronous trainer sends reward functions to another process, and calls them there.

The whole trainer is built for GPUs and asks for vLLM, so it runs in OpenRLHF's environment; ``trl_on_cpu`` lists what
stands in for a GPU. Nothing between a prompt, its reward and the optimizer's step is among it.
"""

import json
import math
import os
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.client.conftest import Service, serving
from tests.conftest import ROOT, Stack
from tests.ports import free_port
from tests.trainers.native import Trained, close_to, compare, count_of_jobs
from tests.trainers.scripts import finish, version_of
from tests.upstreams.servers import Server, start_server

RECIPES = """
rewards:
  right:
    components: {answer: {score: token_f1}}
default: right
"""


TRAINED_BY = ("math", "helpful", "grpo")


@pytest.fixture
def recorded() -> Iterator[Service]:
    yield from serving(RECIPES)


def test_the_asynchronous_trainer_scores_a_group_in_its_own_process(recorded: Service) -> None:
    variables = {"PYTHONPATH": str(ROOT / "service"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    script = str(Path(__file__).with_name("async_rollouts.py"))
    command = [os.environ["TRAINERS_PYTHON"], script, recorded.url, "right"]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    right, wrong, partly, unscored = json.loads(done.stdout.splitlines()[-1])
    # Twice the same recipe, once by a request and once by a job; TRL adds the two up.
    assert (right["rewards/right"], wrong["rewards/right"], right["reward"]) == (1.0, 0.0, 2.0)
    assert 0.0 < partly["rewards/right"] < 1.0
    assert math.isnan(unscored["reward"])
    assert unscored["advantage"] == 0.0
    assert right["advantage"] > partly["advantage"] > wrong["advantage"]
    assert {path for path, _ in recorded.requests} >= {"/v1/score", "/v1/jobs"}


@pytest.fixture(scope="module")
def vllm(policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A vLLM that generates with the policy, and takes new weights of it."""
    port, python = free_port(), os.environ["OPENRLHF_PYTHON"]
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(policy / "policy")]
    flags = ["--dtype", "float32", "--max-model-len", "256", "--enforce-eager", "--no-enable-prefix-caching"]
    variables = {"VLLM_TARGET_DEVICE": "cpu", "VLLM_SERVER_DEV_MODE": "1"}
    log = tmp_path_factory.mktemp("vllm") / "log"
    server = start_server(
        [*command, *flags, "--host", "127.0.0.1", "--port", str(port)], port, log, environment=variables
    )
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()


def surprise_of(vllm: Server, policy: Path, text: str) -> float:
    """The logarithm of how probable the likeliest token after a text is to the policy as vLLM has it now."""
    body = {"model": str(policy / "policy"), "prompt": text, "max_tokens": 1, "temperature": 0, "logprobs": 0}
    answer = httpx.post(f"{vllm.url}/v1/completions", json=body, timeout=60).raise_for_status().json()
    (logarithm,) = answer["choices"][0]["logprobs"]["token_logprobs"]
    return float(logarithm)


def mean_of_valid(column: list[float | None]) -> float:
    return statistics.mean(number for number in column if number is not None)


def add_up(row: dict[str, float | None]) -> float:
    """TRL's reward of a completion: the sum of those that it was given."""
    return sum(number for number in row.values() if number is not None)


def test_the_asynchronous_trainer_trains_on_the_native_rewards_of_jobs(
    service: Stack, vllm: Server, policy: Path, tmp_path: Path
) -> None:
    python, steps = os.environ["OPENRLHF_PYTHON"], 4
    prompts = [json.loads(line) for line in (policy / "prompts.jsonl").read_text().splitlines()]
    before, scored = surprise_of(vllm, policy, prompts[0]["rendered"]), count_of_jobs(service.http)
    variables = {"REWARD_GATEWAY_URL": service.http, "PYTHONPATH": str(ROOT / "service")}
    finish(
        python, "trl_async.py", str(policy), str(tmp_path), str(steps), vllm.url, *TRAINED_BY,
        TRL_EXPERIMENTAL_SILENCE="1", VLLM_TARGET_DEVICE="cpu", **variables,
    )  # fmt: skip
    rows: list[dict[str, Any]] = [json.loads(line) for line in (tmp_path / "trained.jsonl").read_text().splitlines()]
    log = [entry for entry in json.loads((tmp_path / "log.json").read_text()) if "reward" in entry]
    assert len(log) == steps
    assert len(rows) == 8 * (steps + 1), "one batch more is made than trained on"
    assert count_of_jobs(service.http) >= scored + len(rows) * len(TRAINED_BY)

    # Each completion's rewards are the native ones, and those without one are the refused.
    asked = {row["rendered"]: row for row in prompts}
    asked[prompts[1]["rendered"]]["answer"] = None
    native: list[dict[str, float | None]] = [{} for _ in rows]
    for recipe in TRAINED_BY:
        samples = [
            Trained(
                asked[row["rendered"]]["prompt"],
                row["response"],
                asked[row["rendered"]]["answer"],
                row["metrics"][f"rewards/{recipe}"],
                group=f"group {row['group']}",
            )
            for row in rows
        ]
        version = version_of(python, "trl")
        for row, result in zip(
            native, compare("TRL, asynchronous", version, service.http, recipe, steps, samples), strict=True
        ):
            row[recipe] = result["reward"]
    assert {row["math"] for row in native} == {0.0, 1.0, None}
    assert len({round(row["helpful"] or 0.0, 3) for row in native}) > len(rows) // 4

    # Groups come whole; so do their advantages.
    for group in {row["group"] for row in rows}:
        members = [i for i, row in enumerate(rows) if row["group"] == group]
        sums = [add_up(native[i]) for i in members]
        mean, spread = statistics.mean(sums), statistics.pstdev(sums)
        assert len(members) == 4
        expected = [(reward - mean) / (spread + 1e-8) for reward in sums]
        assert [rows[i]["advantage"] for i in members] == pytest.approx(expected, rel=1e-3, abs=1e-3)
        assert [rows[i]["metrics"]["reward_std"] for i in members] == close_to([spread] * 4)

    # A line of the log is the mean of the batches that were made since the one before.
    for k, entry in enumerate(log):
        firsts = [first for first in range(0, len(rows), 8) if rows[first]["logged"] == k]
        batches = [native[first : first + 8] for first in firsts]
        assert batches
        for recipe in TRAINED_BY:
            means = [mean_of_valid([row[recipe] for row in batch]) for batch in batches]
            assert entry[f"rewards/{recipe}"] == close_to(statistics.mean(means))
        assert entry["reward"] == close_to(statistics.mean(add_up(row) for batch in batches for row in batch))

    # What stands in for a GPU does what one does: trainer and generator give the same probabilities, which move.
    assert log[0]["ratio"] == pytest.approx(1.0, abs=1e-3)
    assert surprise_of(vllm, policy, prompts[0]["rendered"]) != pytest.approx(before, abs=1e-4)
