"""credit/steps_and_outcome."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

OP = "credit/steps_and_outcome"
numbers = st.floats(-1e4, 1e4)


def test_the_outcome_stands_on_the_last_step(call: Any) -> None:
    (result,) = call(OP, {"step_rewards": [1, 2], "outcome": 1}, alpha=0.5, outcome_weight=3.0)
    assert result["rewards"] == [0.5, 4]


def test_without_an_outcome_the_steps_are_as_they_are(call: Any) -> None:
    assert call(OP, {"step_rewards": [1, -2, 0]})[0]["rewards"] == [1, -2, 0]


def test_an_outcome_without_steps_has_nothing_to_stand_on(call: Any) -> None:
    assert call(OP, {"step_rewards": [], "outcome": 1})[0]["error"]["code"] == "invalid_field"


@given(st.lists(numbers, min_size=1, max_size=6), numbers, st.floats(-2, 2))
def test_the_rewards_sum_to_both(call: Any, steps: list[float], outcome: float, alpha: float) -> None:
    (result,) = call(OP, {"step_rewards": steps, "outcome": outcome}, alpha=alpha)
    assert sum(result["rewards"]) == pytest.approx(alpha * sum(steps) + outcome, abs=1e-6)
