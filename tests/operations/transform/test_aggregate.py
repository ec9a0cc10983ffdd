"""transform/aggregate."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("how", "expected"),
    [("min", 0.2), ("max", 0.9), ("mean", 0.5), ("sum", 1.5), ("product", 0.072), ("last", 0.4), ("first", 0.9)],
)
def test_step_rewards_become_one_number(call: Any, how: str, expected: float) -> None:
    (result,) = call("transform/aggregate", {"step_rewards": [0.9, 0.2, 0.4]}, how=how)
    assert result["reward"] == pytest.approx(expected)


def test_no_steps_is_that_items_error_and_its_neighbour_is_answered(call: Any) -> None:
    empty, fine = call("transform/aggregate", {"step_rewards": []}, {"step_rewards": [0.5]})
    assert empty["error"]["code"] == "invalid_field"
    assert fine["reward"] == 0.5
