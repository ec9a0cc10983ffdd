"""Trainers train a ChatML policy for real, on the rewards that native requests give for the same messages."""

import json
import os
import re
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Stack
from tests.trainers.native import Trained, compare
from tests.trainers.scripts import HERE, Finished, finish, run, version_of

END_OF_TURN = "<|im_end|>"
RAY_AND_VLLM = {
    "DS_ACCELERATOR": "cpu",
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


def assert_right_and_wrong(samples: list[Trained]) -> None:
    """Rewards of ``math`` that say what the answers say, some right and some wrong."""
    for sample in samples:
        if sample.reward == 1.0:
            assert f"</think><answer>{sample.reference}" in sample.response
    assert {sample.reward for sample in samples} >= {0.0, 1.0}


def assert_varied(samples: list[Trained]) -> None:
    """Rewards of ``helpful`` that tell answers apart."""
    assert statistics.stdev(sample.reward for sample in samples if sample.reward is not None) > 0.01


def test_trl_trains_on_the_native_rewards_of_two_recipes_at_once_and_leaves_out_what_one_cannot_score(
    service: Stack, policy: Path, tmp_path: Path
) -> None:
    python, out = os.environ["TRAINERS_PYTHON"], tmp_path / "trained.jsonl"
    variables = {"REWARD_GATEWAY_URL": service.http, "PYTHONPATH": str(ROOT / "service")}
    finish(python, "trl_chatml.py", str(policy), str(out), "4", "math", "helpful", **variables)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["step"] for row in rows} == {0, 1, 2, 3}
    assert len(rows) == 32
    of_recipe = {
        recipe: [
            Trained(row["messages"], row["response"], row["reference"], row["rewards"][recipe]) for row in rows
        ]
        for recipe in ("math", "helpful")
    }  # fmt: skip
    version = version_of(python, "trl")
    native = compare("TRL", version, service.http, "math", 4, of_recipe["math"])
    compare("TRL", version, service.http, "helpful", 4, of_recipe["helpful"])
    assert_right_and_wrong(of_recipe["math"])
    assert_varied(of_recipe["helpful"])
    refused = [result["error"]["code"] for result in native if not result["valid"]]
    assert refused == ["missing_field"] * 4, "the answers to the prompt without a ground truth"


def train_openrlhf(url: str, policy: Path, folder: Path, steps: int) -> tuple[Finished, list[list[dict[str, Any]]]]:
    """Train with rewards from the URL, 2 prompts × 4 answers a step; how it ended, and what each step trained on."""
    record = folder / "record.jsonl"
    arguments = {
        "actor.model_name_or_path": policy / "policy", "reward.remote_url": url,
        "data.prompt_dataset": policy / "prompts.jsonl", "data.input_key": "prompt", "data.label_key": "answer",
        "data.max_samples": 2 * steps, "data.max_len": 192, "rollout.max_new_tokens": 64, "rollout.batch_size": 2,
        "rollout.n_samples_per_prompt": 4, "rollout.micro_batch_size": 4, "train.batch_size": 8,
        "train.micro_batch_size": 4, "algo.advantage.estimator": "group_norm", "algo.kl.init_coef": 0,
        "actor.adam.lr": 1e-4, "actor.num_gpus_per_node": 1, "ds.attn_implementation": "eager",
        "vllm.num_engines": 1, "ckpt.output_dir": folder / "trained", "ckpt.path": folder / "checkpoints",
    }  # fmt: skip
    flags = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    variables = {**RAY_AND_VLLM, "PYTHONPATH": str(HERE), "OPENRLHF_RECORD": str(record)}
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as temp:  # short: it holds sockets
        finished = run(
            os.environ["OPENRLHF_PYTHON"], "openrlhf_chatml.py", temp, *flags,
            "--data.apply_chat_template", "--vllm.enforce_eager", **variables,
        )  # fmt: skip
        # Not all that a worker has said reaches a driver that ends.
        logs = sorted(Path(temp).glob("session_latest/logs/worker-*"))
        finished = replace(finished, said=finished.said + "".join(log.read_text(errors="replace") for log in logs))
    lines = record.read_text().splitlines() if record.exists() else []
    return finished, [json.loads(line) for line in lines]


@pytest.mark.parametrize("recipe", ["math", "helpful"])
def test_openrlhf_sends_rendered_text_and_trains_on_the_native_rewards_of_its_messages(
    recipe: str, service: Stack, policy: Path, tmp_path: Path
) -> None:
    url = f"{service.http}/run/{recipe}/get_reward?reward={recipe}"
    finished, steps = train_openrlhf(url, policy, tmp_path, 3)
    assert finished.status == 0, finished.said[-5000:]
    assert [len(step) for step in steps] == [8, 8, 8]
    assert (tmp_path / "trained" / "model.safetensors").exists()
    rows = [row for step in steps for row in step]
    messages = {
        row["rendered"]: row["prompt"] for row in map(json.loads, (policy / "prompts.jsonl").read_text().splitlines())
    }
    assert any(row["response"].endswith(END_OF_TURN) for row in rows), "what it sends ends with a mark"
    samples = [
        Trained(messages[row["prompt"]], row["response"].removesuffix(END_OF_TURN), row["label"], row["reward"])
        for row in rows
    ]
    version = version_of(os.environ["OPENRLHF_PYTHON"], "openrlhf")
    native = compare("OpenRLHF", version, service.http, recipe, 3, samples)
    (assert_right_and_wrong if recipe == "math" else assert_varied)(samples)
    rewards = [result["reward"] for result in native]
    for first in range(0, len(rows), 4):
        group = rewards[first : first + 4]
        spread = statistics.stdev(group) + 1e-9
        expected = [(reward - statistics.mean(group)) / spread for reward in group]
        assert [row["advantage"] for row in rows[first : first + 4]] == pytest.approx(expected, abs=1e-3)
    last = re.search(r"Global step 3: .*'actor_grad_norm': ([\d.e-]+)", finished.said)
    assert last is not None
    assert float(last[1]) > 0


def test_openrlhf_stops_before_it_trains_on_a_sample_that_was_refused(
    service: Stack, policy: Path, tmp_path: Path
) -> None:
    finished, steps = train_openrlhf(f"{service.http}/get_reward?reward=grpo", policy, tmp_path, 1)
    assert "Failed to fetch reward from remote RM" in finished.said
    assert "reward_model_group is required when rewards are not precomputed" in finished.said
    assert finished.status != 0
    assert steps == []
