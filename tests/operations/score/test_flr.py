"""score/flr."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import TokenLogprobs, Vector
from reward_gateway.operations.registry import catalog

PATH = "score/flr"
sides = st.lists(st.floats(-1e4, 0), min_size=1, max_size=5)


def test_is_the_mean_of_the_good_follow_ups_less_that_of_the_bad(call: Any) -> None:
    [result] = call(PATH, {"pos_logprobs": {"relevance": [-1.2, -0.8]}, "neg_logprobs": {"relevance": [-2.0, -2.4]}})
    assert result["reward"] == pytest.approx(1.2)
    assert result["details"]["categories"] == {"relevance": pytest.approx(1.2)}


def test_categories_weigh_the_same_whatever_their_number_of_follow_ups(call: Any) -> None:
    item = {"pos_logprobs": {"a": [-1.0], "b": [-1.0] * 9}, "neg_logprobs": {"a": [-3.0], "b": [-1.0]}}
    assert call(PATH, item)[0]["reward"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"pos_logprobs": {"a": [-1.0]}},
        {"pos_logprobs": {}, "neg_logprobs": {}},
        {"pos_logprobs": {"a": []}, "neg_logprobs": {"a": [-1.0]}},
        {"pos_logprobs": {"a": [-1.0]}, "neg_logprobs": {"b": [-1.0]}},
        {"messages": []},
    ],
)
def test_one_side_alone_is_the_items_error(call: Any, item: dict[str, Any]) -> None:
    [result] = call(PATH, item)
    assert result["error"]["code"] == "invalid_field"


def test_messages_are_read_by_the_hosted_language_model() -> None:
    operation = catalog().get("score", "flr")
    assert operation is not None
    item = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    params = {"follow_ups": {"tone": {"positive": ["Nice."], "negative": ["Rude.", "Bad."]}}}
    steps = apply(operation, [item], params)
    need = next(steps)
    context = "User: Hi\nAssistant: Hello\nUser:"
    assert need == TokenLogprobs([context] * 3, [" Nice.", " Rude.", " Bad."], "language_model")
    with pytest.raises(StopIteration) as stop:
        steps.send([Vector(np.array(values)) for values in ([-1.0, -2.0], [-4.0], [-6.0])])
    assert stop.value.value[0]["reward"] == pytest.approx(3.5)


@given(sides, sides)
@settings(max_examples=50, deadline=None)
def test_swapping_the_sides_turns_the_sign(call: Any, good: list[float], bad: list[float]) -> None:
    one, other = call(
        PATH,
        {"pos_logprobs": {"a": good}, "neg_logprobs": {"a": bad}},
        {"pos_logprobs": {"a": bad}, "neg_logprobs": {"a": good}},
    )
    assert one["reward"] == pytest.approx(-other["reward"])
