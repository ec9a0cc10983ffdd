"""EasyR1, slime, verifiers: each as its trainer calls it."""

import asyncio
import importlib.util
import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from reward_gateway.client.adapters import easyr1, slime, verifiers
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.errors import Unavailable

from tests.client.conftest import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch, service: Service) -> Service:
    """The recipe that compares with the reference, by the environment."""
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "right")
    return service


def requests(service: Service) -> int:
    return [path for path, _ in service.requests].count("/v1/score")


def test_easyr1_loads_the_file_and_gets_overall_for_a_batch(service: Service) -> None:
    spec = importlib.util.spec_from_file_location("custom_reward_fn", easyr1.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs = [{"response": "42", "response_length": 1, "ground_truth": truth} for truth in ("42", "41")]
    rows = module.compute_score(inputs, url=service.url, reward="right")
    assert [row["overall"] for row in rows] == [1.0, 0.0]
    assert {tuple(row) for row in rows} == {("equal", "brevity", "overall")}
    assert requests(service) == 1


def test_easyr1_stops_where_a_sample_has_no_score(service: Service) -> None:
    with pytest.raises(Unscored):
        easyr1.compute_score([{"response": "42", "response_length": 1}], reward="right")


def drawn(response: str, label: str | None, group: int = 0) -> Any:
    """The fields of slime's Sample that count here."""
    return SimpleNamespace(prompt="p", response=response, label=label, group_index=group, metadata={})


async def test_slime_sends_a_group_in_one_request(right: Service) -> None:
    assert inspect.iscoroutinefunction(slime.reward)
    rewards = await slime.reward(SimpleNamespace(reward_key=None), [drawn("42", "42"), drawn("41", "42")])
    assert rewards == [1.0, 0.0]
    assert requests(right) == 1


async def test_slime_gets_a_number_or_what_its_reward_key_asks_for(right: Service) -> None:
    one = drawn("42", "42")
    assert await slime.reward(SimpleNamespace(reward_key=None), one) == 1.0
    named = await slime.reward(SimpleNamespace(reward_key="score", eval_reward_key="acc"), one, evaluation=True)
    assert named == {"equal": 1.0, "brevity": 0.0, "score": 1.0, "acc": 1.0}


async def test_slimes_single_calls_of_one_moment_travel_together(right: Service) -> None:
    args = SimpleNamespace(reward_key=None)
    rewards = await asyncio.gather(*(slime.reward(args, drawn(str(i), "3")) for i in range(32)))
    assert rewards == [float(i == 3) for i in range(32)]
    assert requests(right) <= 8


async def test_slime_stops_where_a_sample_has_no_score(right: Service) -> None:
    with pytest.raises(Unscored):
        await slime.reward(SimpleNamespace(reward_key=None), [drawn("42", "42"), drawn("42", None)])


async def test_verifiers_gets_the_reward_of_the_last_reply(right: Service) -> None:
    assert list(inspect.signature(verifiers.reward).parameters) == ["task", "trace"]
    task = SimpleNamespace(prompt=[SimpleNamespace(role="user", content="p")], answer="42")
    assert await verifiers.reward(task=task, trace=SimpleNamespace(last_reply="42")) == 1.0
    with pytest.raises(Unscored):
        await verifiers.reward(SimpleNamespace(prompt="p"), SimpleNamespace(last_reply="42"))


async def test_a_legacy_rubric_gets_the_reward_of_a_completion(right: Service) -> None:
    completion = [{"role": "assistant", "content": "42"}]
    prompt = [{"role": "user", "content": "p"}]
    assert await verifiers.rubric_reward(prompt=prompt, completion=completion, answer="42", state={}) == 1.0
    assert await verifiers.rubric_reward(prompt, completion, "", {"ground_truth": 42}) == 1.0


async def test_a_service_that_is_down_raises(nobody: str) -> None:
    with pytest.raises(Unavailable):
        await slime.reward(SimpleNamespace(reward_key=None), [drawn("42", "42")])
    with pytest.raises(Unavailable):
        await verifiers.reward(SimpleNamespace(prompt="p"), SimpleNamespace(last_reply="42"))
    with pytest.raises(Unavailable):
        easyr1.compute_score([{"response": "42"}])
