"""verl's reward loop calls ``run_single`` of a manager with one row, which holds the prompt as messages."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reward_gateway.client import RewardClient
from reward_gateway.client.adapters import verl_manager
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.errors import Unavailable

from tests.client.conftest import Service

pytestmark = pytest.mark.anyio

WORDS = ["", "42", "41", "a", "b", "<eos>"]


class Tokenizer:
    """Words by their number."""

    def decode(self, tokens: Any, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return " ".join(WORDS[int(token)] for token in tokens if WORDS[int(token)] != "<eos>")


class Rows:
    """As much of verl's DataProto as a manager reads: rows that can be cut and taken."""

    def __init__(self, *rows: Any) -> None:
        self.rows = rows

    def __getitem__(self, key: Any) -> Any:
        return Rows(*self.rows[key]) if isinstance(key, slice) else self.rows[key]


def row(tokens: list[int], padding: int = 2, **fields: Any) -> Any:
    mask = np.array([0, 1, 1] + [1] * len(tokens) + [0] * padding)
    tensors = {"responses": np.array(tokens + [0] * padding), "attention_mask": mask}
    return SimpleNamespace(batch=tensors, non_tensor_batch={"raw_prompt": [{"role": "user", "content": "p"}], **fields})


def make_manager(**settings: Any) -> verl_manager.RewardGatewayManager:
    config = SimpleNamespace(reward={"custom_reward_function": {"path": None, "reward_kwargs": settings}})
    return verl_manager.RewardGatewayManager(config=config, tokenizer=Tokenizer(), compute_score=None)


async def test_the_reward_stands_with_the_components_and_only_numbers(service: Service) -> None:
    manager = make_manager(url=service.url, reward="right")
    answer = await manager.run_single(Rows(row([1, 5], reward_model={"ground_truth": "42"}, extra_info={})))
    assert answer == {"reward_score": 1.0, "reward_extra_info": {"equal": 1.0, "brevity": 0.0, "score": 1.0}}


async def test_of_several_sequences_the_last_one_counts(service: Service) -> None:
    rows = Rows(row([2, 5], reward_model={"ground_truth": "42"}), row([1, 5], reward_model={"ground_truth": "42"}))
    assert (await make_manager(reward="right").run_single(rows))["reward_score"] == 1.0


async def test_calls_of_one_moment_travel_together_and_keep_their_order(service: Service) -> None:
    manager = make_manager(reward="brief")
    answers = await asyncio.gather(*(manager.run_single(Rows(row([3] * i))) for i in range(1, 33)))
    assert [answer["reward_score"] for answer in answers] == [-0.5 * i for i in range(32)]
    assert [path for path, _ in service.requests].count("/v1/score") <= 8


def test_the_sample_has_the_messages_their_images_the_group_and_the_source() -> None:
    image = {"type": "image", "image": b"\x89PNG"}
    content = [image, {"type": "text", "text": "what is it?"}]
    prompt = np.array([{"role": "user", "content": content}], dtype=object)
    row = {"raw_prompt": prompt, "uid": "u1", "extra_info": {"answer": 4}, "data_source": "pictures"}
    sample = verl_manager._read_sample(row, "a cat")
    assert sample == {
        "prompt": [{"role": "user", "content": [{"type": "text", "text": "what is it?"}]}],
        "response": "a cat",
        "reference": "4",
        "group": "u1",
        "images": [b"\x89PNG"],
        "metadata": {"data_source": "pictures"},
    }


async def test_the_history_of_the_run_has_verls_steps(service: Service) -> None:
    manager = make_manager(url=service.url, reward="brief", run="verl-manager")
    await manager.run_single(Rows(row([1], global_steps=3, tool_extra_fields={"max_global_steps": 1})))
    await manager.run_single(Rows(row([1, 3], global_steps=np.int64(4))))
    await manager.run_single(Rows(row([1, 3, 3], tool_extra_fields={"max_global_steps": 4})))
    with RewardClient(service.url, run="verl-manager") as client:
        rows = client.get_run(bucket="step")["rewards"]["brief"]["series"]
    assert [(found["step"], found["n"], found["mean"]) for found in rows] == [(3, 1, 0.0), (4, 1, -0.5), (5, 1, -1.0)]


async def test_a_sample_without_a_score_and_a_service_that_is_down_raise(service: Service, nobody: str) -> None:
    with pytest.raises(Unscored, match="missing_field"):
        await make_manager(url=service.url, reward="right").run_single(Rows(row([1])))
    with pytest.raises(Unavailable):
        await make_manager(reward="right").run_single(Rows(row([1])))
