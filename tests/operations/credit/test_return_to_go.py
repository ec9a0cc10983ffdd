"""credit/return_to_go (2404.03637)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "credit/return_to_go"
ITEM = {"rewards": {"ctr": [0.2, 0.5, 0.3], "return": [0.1, 0, 0.4]}}


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, ITEM, gamma=1, balance=0.5)
    assert result["details"]["returns"]["ctr"] == pytest.approx([1, 0.8, 0.3])
    assert result["details"]["returns"]["return"] == pytest.approx([0.5, 0.4, 0.4])
    assert result["rewards"] == pytest.approx([0.75, 0.6, 0.35])


def test_a_user_may_have_a_balance_of_their_own(call: Any) -> None:
    own, first, outside = call(OP, {**ITEM, "balance": 0.0}, {**ITEM, "balance": 1.0}, {**ITEM, "balance": 2.0})
    assert own["rewards"] == pytest.approx([0.5, 0.4, 0.4])
    assert first["rewards"] == pytest.approx([1, 0.8, 0.3])
    assert outside["error"]["code"] == "invalid_field"


def test_the_corners(call: Any) -> None:
    empty, single, unequal, three, none = call(
        OP,
        {"rewards": {"a": [], "b": []}},
        {"rewards": [1, 2]},
        {"rewards": {"a": [1], "b": [1, 2]}},
        {"rewards": {"a": [1], "b": [1], "c": [1]}},
        {"rewards": {}},
    )
    assert empty["rewards"] == []
    assert single["rewards"] == [3, 2]
    for broken in (unequal, three, none):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8), st.floats(0, 1))
def test_a_return_is_its_reward_plus_the_discounted_rest(call: Any, rewards: list[float], gamma: float) -> None:
    (result,) = call(OP, {"rewards": rewards}, gamma=gamma)
    returns = [*result["rewards"], 0.0]
    for t, reward in enumerate(rewards):
        assert returns[t] == pytest.approx(reward + gamma * returns[t + 1], abs=1e-6)


def test_returns_beyond_double_precision_are_an_error_and_never_a_hole_in_the_answer(call: Any) -> None:
    overflowing, fine = call(OP, {"rewards": [1e308, 1e308]}, {"rewards": [1.0, 1.0]})
    assert overflowing["error"]["code"] == "not_finite"
    assert "rewards" not in overflowing
    assert fine["rewards"] == [2, 1]
