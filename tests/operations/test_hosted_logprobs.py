"""Operations that read texts through a hosted language model: what they ask, and what becomes of its answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import TokenLogprobs, Vector
from reward_gateway.operations.hosted_logprobs import joined
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid

Say = Callable[[TokenLogprobs], list[Any]]

LONG = Invalid("too_large", "The response has more than 1024 tokens.")


def run(path: str, items: list[dict[str, Any]], say: Say, **params: Any) -> tuple[list[Any], list[TokenLogprobs]]:
    """The results of an operation whose questions are answered by a function, and the questions."""
    operation = catalog().get(*path.split("/"))
    assert operation is not None
    steps, asked = apply(operation, items, params), []
    try:
        need = next(steps)
        while True:
            assert isinstance(need, TokenLogprobs)
            asked.append(need)
            need = steps.send(say(need))
    except StopIteration as stop:
        return list(stop.value), asked


def by_length(need: TokenLogprobs) -> list[Vector]:
    """One token a letter of the continuation, likelier after a longer context."""
    return [
        Vector(np.full(len(text), -1.0 / (1 + len(context))))
        for context, text in zip(need.contexts, need.continuations, strict=True)
    ]


def refusing(word: str) -> Say:
    """As :func:`by_length`, except for the continuations that hold a word."""

    def say(need: TokenLogprobs) -> list[Any]:
        return [
            LONG if word in text else logprobs
            for text, logprobs in zip(need.continuations, by_length(need), strict=True)
        ]

    return say


def test_a_space_between_the_texts_is_read_with_the_continuation() -> None:
    assert joined("Answer: ", "Paris") == ("Answer:", " Paris")
    assert joined("Answer:", " Paris") == ("Answer:", " Paris")
    assert joined("", "Paris") == ("", "Paris")


def test_perplexity_of_texts() -> None:
    items: list[dict[str, Any]] = [
        {"prompt": "Once upon ", "response": "a time"},
        {"logprobs": [0.0]},
        {"response": "It"},
    ]
    results, [need] = run("score/perplexity", items, by_length)
    assert (need.contexts, need.continuations) == (["Once upon", ""], [" a time", "It"])
    assert [result["reward"] for result in results] == pytest.approx([np.exp(0.1), 1.0, np.e])


def test_a_text_that_the_model_refuses_spoils_its_own_row_alone() -> None:
    items = [{"response": "endless"}, {"response": "short"}]
    refused, fine = run("score/perplexity", items, refusing("endless"))[0]
    assert (refused["reward"], refused["error"]["code"]) == (None, "too_large")
    assert fine["reward"] == pytest.approx(np.e)


def test_the_information_that_turns_gain_is_read_at_every_boundary() -> None:
    items = [{"prompt": "Q", "turn_texts": ["one", "two<answer>gold</answer>"], "gold": ["gold", "other"]}]
    [result], [need] = run("credit/igpo", items, by_length)
    assert need.contexts == ["Q\n\nAnswer:", "Qone\n\nAnswer:"]
    assert need.continuations == [" gold"] * 2
    before, after = np.exp(-1.0 / 11), np.exp(-1.0 / 14)
    assert result["rewards"] == pytest.approx([after - before, 1.0])


def test_follow_ups_that_the_model_refuses_are_the_items_error() -> None:
    follow_ups = {"tone": {"positive": ["Nice."], "negative": ["Rude."]}}
    items = [{"messages": [{"role": "user", "content": "Hi"}]}]
    [result], [need] = run("score/flr", items, refusing("Rude"), follow_ups=follow_ups)
    assert need.continuations == [" Nice.", " Rude."]
    assert result["error"]["code"] == "too_large"


def test_implicit_process_rewards_take_two_hosted_models() -> None:
    def say(need: TokenLogprobs) -> list[Any]:
        base = {"tuned": -0.25, "base": -0.75}[need.model]
        return [Vector(np.full(len(text), base)) for text in need.continuations]

    group = [{"response": "abc", "outcome": 1}, {"logp": [-1.0], "ref_logp": [-2.0], "outcome": 0}]
    items = [{"prompt": "P", "group": group}]
    [result], asked = run("credit/prime", items, say, beta=1.0, model="tuned", reference="base")
    assert [need.model for need in asked] == ["tuned", "base"]
    assert result["rewards"] == [pytest.approx([0.5] * 3), pytest.approx([1.0])]

    steps = [{"observation": "Go. ", "action": "left"}, {"observation": " You see a wall. ", "action": "up"}]
    items = [{"trajectories": [{"outcome": 1, "steps": steps}]}]
    [result], asked = run("credit/oprl", items, say, beta=1.0, model="tuned", old="base")
    assert asked[0].contexts == ["Go.", "Go. left You see a wall."]
    assert result["rewards"] == [pytest.approx([2.5, 1.5])]


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("credit/prime", {"group": [{"response": "abc", "outcome": 1}]}),
        ("credit/oprl", {"trajectories": [{"outcome": 1, "steps": [{"action": "abc"}]}]}),
    ],
)
def test_texts_without_two_models_are_the_items_error(path: str, item: dict[str, Any]) -> None:
    [result], asked = run(path, [item], by_length)
    assert not asked
    assert "two hosted models" in result["error"]["message"]


def test_steps_that_a_model_refuses_have_no_rewards() -> None:
    items = [{"trajectories": [{"outcome": 1, "steps": [{"action": "endless"}, {"action": "up"}]}]}]
    [result], _ = run("credit/oprl", items, refusing("endless"), model="tuned", old="base")
    assert result["error"]["code"] == "too_large"
    assert result.get("rewards") is None
