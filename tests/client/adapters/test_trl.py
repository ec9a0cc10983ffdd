"""TRL calls ``fn(prompts, completions, completion_ids, <columns>, trainer_state, log_extra, log_metric)``."""

import asyncio
import importlib
import inspect
import pickle
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from reward_gateway.client import RewardClient
from reward_gateway.client.adapters import trl
from reward_gateway.errors import GatewayError, NotFound

from tests.client.conftest import Service

pytestmark = pytest.mark.anyio

REST: dict[str, Any] = {"trainer_state": object(), "log_extra": lambda *_: None, "log_metric": lambda *_: None}


def test_trl_sees_coroutine_functions_with_the_recipes_names() -> None:
    assert inspect.iscoroutinefunction(trl.reward)
    named = trl.make_reward("right")
    assert inspect.iscoroutinefunction(named)
    assert named.__name__ == "right"


def test_its_arguments_are_those_of_a_reward_function() -> None:
    assert list(inspect.signature(trl.reward).parameters) == ["prompts", "completions", "completion_ids", "columns"]


def test_a_reward_can_be_sent_to_another_process(service: Service) -> None:
    """As TRL's asynchronous trainer does; there it is called by name, and awaited."""
    for reward in (trl.reward, trl.make_reward("right", service.url), trl.right):
        sent = pickle.dumps(reward)
        code = (
            "import asyncio, inspect, pickle, sys\n"
            "reward = pickle.loads(sys.stdin.buffer.read())\n"
            "assert inspect.iscoroutinefunction(reward) and asyncio.iscoroutinefunction(reward.__call__)\n"
            "print(reward.__name__, asyncio.run(reward(['p'], ['42'], [[1]], answer=['42'])))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        expected = [0.0] if reward is trl.reward else [1.0]
        assert done.stdout.decode() == f"{reward.__name__} {expected}\n"


@pytest.mark.parametrize("jobs", [False, True])
async def test_a_slow_judge_may_be_asked_by_jobs(service: Service, monkeypatch: pytest.MonkeyPatch, jobs: bool) -> None:
    monkeypatch.setenv("REWARD_GATEWAY_JOBS", "0" if jobs else "1")
    rewards = await trl.make_reward("right", jobs=jobs)(["p", "p"], ["42", "1"], [[1], [1]], answer=["42", None])
    assert rewards == [1.0, None]
    assert [path for path, _ in service.requests].count("/v1/jobs") == jobs


async def test_the_history_of_the_run_has_the_steps_that_trl_logs(service: Service) -> None:
    reward = trl.make_reward("right", run="trl")
    for done in range(2):
        state = SimpleNamespace(global_step=done)
        await reward(["p", "p"], ["42", "1"], [[1], [1]], answer=["42", "42"], **{**REST, "trainer_state": state})
    with RewardClient(service.url, run="trl") as client:
        rows = client.get_run(bucket="step")["rewards"]["right"]["series"]
    assert [(row["step"], row["n"], row["mean"]) for row in rows] == [(1, 2, 0.5), (2, 2, 0.5)]


def test_a_dotted_path_names_a_recipe() -> None:
    module = importlib.import_module("reward_gateway.client.adapters.trl")
    assert module.right.__name__ == "right"
    assert not hasattr(module, "_private")


async def test_texts_get_a_reward_each_in_one_request(service: Service) -> None:
    rewards = await trl.reward(["p", "q"], ["one two three", "one"], [[1, 2, 3], [1]], **REST)
    assert rewards == [-1.0, 0.0]
    assert [path for path, _ in service.requests].count("/v1/score") == 1


async def test_what_a_tool_said_is_not_paid(service: Service) -> None:
    call = {"type": "function", "function": {"name": "multiply", "arguments": {"a": 6, "b": 7}}}
    turns = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "multiply", "content": "42"},
    ]
    completions = [[*turns, {"role": "assistant", "content": said}] for said in ("I do not know.", "42")]
    prompts = [[{"role": "user", "content": "6 * 7?"}]] * 2
    assert await trl.make_reward("equal")(prompts, completions, answer=["42", "42"], **REST) == [0.0, 1.0]


async def test_messages_score_as_their_texts_do(service: Service) -> None:
    prompts = [[{"role": "user", "content": "p"}]]
    completions = [[{"role": "assistant", "content": "one two three"}]]
    assert await trl.reward(prompts, completions, [[1]], **REST) == [-1.0]


@pytest.mark.parametrize("column", ["reference", "ground_truth", "answer", "solution"])
async def test_ground_truths_come_from_the_datasets_columns(service: Service, column: str) -> None:
    rewards = await trl.make_reward("right")(["p", "p"], ["42", "41"], [[1], [1]], **{column: [42, "42"]}, **REST)
    assert rewards == [1.0, 0.0]


async def test_a_sample_without_a_score_is_none_and_is_counted(service: Service) -> None:
    metrics: dict[str, float] = {}
    asked = {**REST, "log_metric": metrics.__setitem__}
    rewards = await trl.make_reward("right")(["p", "p"], ["42", "42"], [[1], [1]], answer=["42", None], **asked)
    assert rewards == [1.0, None]
    assert metrics == {"right/unscored": 0.5}


async def test_a_service_that_is_down_gives_none_and_no_zero(nobody: str) -> None:
    assert await trl.reward(["p", "p"], ["a", "b"], [[1], [1]], **REST) == [None, None]


async def test_a_busy_service_is_asked_again(service: Service) -> None:
    service.refusals.append((503, {"retry-after": "0"}))
    assert await trl.reward(["p"], ["one two"], [[1]], **REST) == [-0.5]


async def test_a_broken_answer_is_asked_for_again(service: Service) -> None:
    assert await trl.reward(["p"], ["one two"], [[1]], **REST) == [-0.5]
    service.refusals.append((502, {}))
    assert await trl.reward(["p"], ["one two"], [[1]], **REST) == [-0.5]


async def test_a_recipe_that_does_not_exist_stops_the_run(service: Service) -> None:
    with pytest.raises(NotFound):
        await trl.make_reward("wrong")(["p"], ["a"], [[1]], **REST)


async def test_arguments_go_before_the_environment(nobody: str, running_trainers: Service) -> None:
    assert await trl.make_reward("brief", running_trainers.url)(["p"], ["one two"], [[1]], **REST) == [-0.5]


async def test_two_functions_run_at_once(service: Service) -> None:
    both = [trl.make_reward(name)(["p"], ["one two"], [[1]], answer=["one two"], **REST) for name in ("brief", "right")]
    assert await asyncio.gather(*both) == [[-0.5], [0.5]]


async def test_a_malformed_call_is_no_outage(service: Service) -> None:
    with pytest.raises(GatewayError, match="prompt"):
        await trl.reward([[{"role": "user", "content": "p", "name": 3}]], ["a"], [[1]], **REST)
