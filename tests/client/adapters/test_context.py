"""Adapters find the prompt wherever their trainer keeps it, and answer the number that the recipe says."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reward_gateway.client.adapters import areal, easyr1, verifiers, verl
from reward_gateway.client.adapters.rows import find_prompt
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.errors import GatewayError

from tests.client.conftest import Service, serving

from .calls import ADAPTERS, LEAVE_OUT, MESSAGE_CALLS, OTHER_CALLS, TEXT_CALLS, framework_calls, number
from .conftest import Module

pytestmark = pytest.mark.anyio

CHAT = [{"role": "user", "content": "6 * 7?"}]


@pytest.mark.parametrize("key", ["raw_prompt", "prompt", "question", "problem", "query"])
@pytest.mark.parametrize("value", ["6 * 7?", CHAT, np.array(CHAT, dtype=object)])
def test_verl_finds_the_prompt_in_extra_info_or_among_the_managers_arguments(key: str, value: Any) -> None:
    expected = value if isinstance(value, str) else CHAT
    assert verl._read_sample("gsm8k", "42", None, {key: value, "index": 1})["prompt"] == expected
    assert verl._read_sample("gsm8k", "42", None, None, {key: value})["prompt"] == expected
    assert "prompt" not in verl._read_sample("gsm8k", "42", None, {"index": 1}, {})
    assert verl._read_sample("gsm8k", "42", None)["metadata"] == {"data_source": "gsm8k"}


def test_an_empty_prompt_is_one() -> None:
    assert find_prompt({"prompt": ""}, {"prompt": "other"}) == ""


def test_easyr1_finds_the_prompt_in_the_input_or_in_the_answer() -> None:
    assert easyr1._read_sample({"response": "42", "problem": "6 * 7?", "ground_truth": "42"}) == {
        "prompt": "6 * 7?",
        "response": "42",
        "reference": "42",
    }
    row = {"response": "42", "ground_truth": {"prompt": "6 * 7?", "answer": "42"}}
    assert easyr1._read_sample(row) == {"prompt": "6 * 7?", "response": "42", "reference": "42"}
    assert easyr1._read_sample({"response": "42", "ground_truth": "42"}) == {"response": "42", "reference": "42"}


@pytest.mark.parametrize("prompt", ["6 * 7?", CHAT])
def test_verifiers_sends_the_system_prompt(prompt: Any) -> None:
    system = {"role": "system", "content": "Be brief."}
    assert verifiers._read_prompt(SimpleNamespace(prompt=prompt, system_prompt="Be brief.")) == [system, *CHAT]
    assert verifiers._read_prompt(SimpleNamespace(prompt=prompt, system_prompt=None)) == prompt
    assert verifiers._read_prompt(SimpleNamespace(prompt=[system, *CHAT], system_prompt="x")) == [system, *CHAT]


RECIPES = """
rewards:
  compared:
    components: {length: {score: length_penalty, params: {free_words: 0, per_word: 1.0}}}
    group: {normalize: mean}
  combined:
    components: {length: {score: length_penalty, params: {free_words: 0, per_word: 1.0}}}
    group: {normalize: mean, answer: combined}
"""


@pytest.fixture(scope="module")
def comparing() -> Iterator[Service]:
    yield from serving(RECIPES)


@pytest.fixture(params=["http", "grpc"])
def address(comparing: Service, request: pytest.FixtureRequest) -> str:
    return comparing.url if request.param == "http" else comparing.grpc_url


def test_adapters_answer_the_number_that_the_recipe_says(address: str) -> None:
    calls = (["d", "d"], ["a b", "a b c d"], [None, None], [{"prompt": "p"}, {"prompt": "p"}])
    found = {name: verl.compute_scores(*calls, url=address, reward=name) for name in ("compared", "combined")}
    assert {name: [row["score"] for row in rows] for name, rows in found.items()} == {
        "compared": [1.0, -1.0],
        "combined": [-2.0, -4.0],
    }


ALL_CALLS = sorted({*TEXT_CALLS, *MESSAGE_CALLS, *OTHER_CALLS})
FRAMEWORKS = (
    *(
        "atropos",
        "autoevals",
        "deepeval",
        "inspect_ai",
        "ms_swift",
        "nemo_gym",
        "nemo_rl",
        "open_instruct",
        "tinker_cookbook",
    ),
)


def test_every_adapter_is_called_here() -> None:
    called = {name.partition(",")[0] for name in (*ALL_CALLS, *FRAMEWORKS)}
    modules = {path.stem for path in ADAPTERS.glob("*.py")} - {"__init__", "rows", "service"}
    adapters = modules | {path.parent.name for path in ADAPTERS.glob("*/*.py")}
    assert called == adapters


@pytest.mark.parametrize("name", [*ALL_CALLS, *FRAMEWORKS])
async def test_every_adapter_answers_the_number_that_the_recipe_says(
    comparing: Service, name: str, installed: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = (TEXT_CALLS | MESSAGE_CALLS | OTHER_CALLS | framework_calls(installed))[name]
    monkeypatch.setenv("REWARD_GATEWAY_URL", comparing.url)
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "combined")
    words = 0 if name == "lerobot" else 3  # frames have no words
    assert await number(call, f"to {name}", "a b c") == -words
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "compared")
    if name in LEAVE_OUT:
        assert await number(call, f"to {name}", "a b c") is None
    elif name == "slime, a group":  # of two
        assert await number(call, f"to {name}", "a b c") == 0.0
    else:
        with pytest.raises((Unscored, GatewayError), match=r"group_of_one|alone in its group"):
            await number(call, f"to {name}", "a b c")


def test_a_lone_sample_is_refused_unless_the_answer_is_the_combined_one(address: str) -> None:
    with pytest.raises(Unscored, match="group_of_one"):
        areal.Reward("compared", address)("p", "a b", [1], [2])
    assert areal.Reward("combined", address)("p", "a b", [1], [2]) == -2.0
