"""verl calls ``compute_score(data_source, solution_str, ground_truth, extra_info, **kwargs)``, or its batch form."""

import asyncio
import inspect
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from reward_gateway.client import RewardClient
from reward_gateway.client.adapters import verl
from reward_gateway.client.adapters.rows import convert_label, convert_text
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.errors import Unavailable

from tests.client.conftest import Service

pytestmark = pytest.mark.anyio

CALL: dict[str, Any] = {"data_source": "d", "solution_str": "42", "ground_truth": "42", "extra_info": {"num_turns": 1}}


async def test_the_score_stands_with_the_components_and_only_numbers(service: Service) -> None:
    assert inspect.iscoroutinefunction(verl.compute_score)
    call = partial(verl.compute_score, url=service.url, reward="right")
    scored = await call(**CALL, reward_router_address=None, reward_model_tokenizer=None)
    assert scored == {"equal": 1.0, "brevity": 0.0, "score": 1.0}


async def test_every_sample_has_the_same_keys(service: Service) -> None:
    calls = [verl.compute_score(**{**CALL, "solution_str": text}, reward="right") for text in ("42", "no", "", "a b")]
    rows = await asyncio.gather(*calls)
    assert {tuple(row) for row in rows} == {("equal", "brevity", "score")}
    assert all(isinstance(value, float) and math.isfinite(value) for row in rows for value in row.values())


async def test_calls_of_one_moment_travel_together(service: Service) -> None:
    rows = await asyncio.gather(
        *(verl.compute_score(**{**CALL, "solution_str": "w " * i}, reward="brief") for i in range(1, 65))
    )
    assert [row["score"] for row in rows] == [-0.5 * i for i in range(64)]
    assert [path for path, _ in service.requests].count("/v1/score") <= 8


async def test_a_slow_judge_may_be_asked_by_jobs(service: Service) -> None:
    rows = await asyncio.gather(
        *(verl.compute_score(**{**CALL, "solution_str": "w " * i}, reward="brief", jobs=True) for i in range(1, 65))
    )
    assert [row["score"] for row in rows] == [-0.5 * i for i in range(64)]
    answers = verl.compute_scores(["d"] * 2, ["42", "41"], ["42", 42], [None, {}], reward="right", jobs=True)
    assert [row["score"] for row in answers] == [1.0, 0.0]
    assert "/v1/score" not in [path for path, _ in service.requests]


async def test_the_batch_manager_gets_a_dict_each_in_one_request(service: Service) -> None:
    answers = verl.compute_scores(["d", "d"], ["42", "41"], ["42", 42], [None, {"question": "6*7"}], reward="right")
    assert [row["score"] for row in answers] == [1.0, 0.0]
    assert [path for path, _ in service.requests].count("/v1/score") == 1


async def test_the_history_of_the_run_has_the_step_after_the_updates_that_the_policy_had(service: Service) -> None:
    for updates in (0, np.int64(1)):
        call = {**CALL, "extra_info": {"num_turns": 1, "max_global_steps": updates}}
        await asyncio.gather(*(verl.compute_score(**call, reward="right", run="verl") for _ in range(2)))
    for unknown in (None, {}, {"max_global_steps": None}, {"max_global_steps": -1}):
        assert verl.find_step(unknown) is None
    with RewardClient(service.url, run="verl") as client:
        rows = client.get_run(bucket="step")["rewards"]["right"]["series"]
    assert [(row["step"], row["n"], row["mean"]) for row in rows] == [(1, 2, 1.0), (2, 2, 1.0)]


@pytest.mark.parametrize("truth", [np.int64(72), np.array(72), np.str_("72"), np.float32(72).astype(np.int8)])
async def test_a_truth_of_numpy_is_its_value(service: Service, truth: Any) -> None:
    scored = await verl.compute_score("d", "72", truth, {"question": np.str_("q")}, reward="right")
    assert scored["score"] == 1.0
    column: Any = np.array([truth])
    (row,) = verl.compute_scores(["d"], ["72"], column, [{"question": "q"}], reward="right")
    assert row["score"] == 1.0


@pytest.mark.parametrize(
    ("truth", "reference"),
    [
        ({"target": np.array(["Paris", "paris"])}, ["Paris", "paris"]),
        (np.array(["Paris", "paris"], object), ["Paris", "paris"]),
        (np.float64(0.5), "0.5"),
        (np.float32(0.1), "0.1"),
        (np.bool_(True), "true"),
        (False, "false"),
        (float("nan"), None),
        (np.float64("nan"), None),
        ([np.int64(1), {"a": np.array([2])}], [1, {"a": [2]}]),
    ],
)
def test_a_truth_of_any_type_is_a_reference(truth: Any, reference: Any) -> None:
    assert convert_label(truth) == reference


def test_turns_out_of_a_table_are_messages() -> None:
    calls = np.array([{"type": "function", "function": {"name": "f", "arguments": np.array(["a"])}}], object)
    turns = np.array([{"role": "assistant", "content": None, "tool_calls": calls, "refusal": None}], object)
    call = {"type": "function", "function": {"name": "f", "arguments": ["a"]}}
    assert convert_text(turns) == [{"role": "assistant", "tool_calls": [call]}]


async def test_a_sample_without_a_score_raises(service: Service) -> None:
    with pytest.raises(Unscored, match="missing_field"):
        await verl.compute_score("d", "42", None, {}, reward="right")
    with pytest.raises(Unscored):
        verl.compute_scores(["d", "d"], ["42", "42"], ["42", None], [{}, {}], reward="right")


async def test_a_service_that_is_down_raises(nobody: str) -> None:
    with pytest.raises(Unavailable):
        await verl.compute_score(**CALL)


async def test_a_busy_service_is_asked_again(service: Service) -> None:
    service.refusals.append((503, {"retry-after": "0"}))
    assert (await verl.compute_score(**CALL, reward="right"))["score"] == 1.0
