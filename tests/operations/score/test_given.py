"""score/given."""

from typing import Any


def test_the_callers_number_is_the_reward(call: Any) -> None:
    assert [result["reward"] for result in call("score/given", {"value": 1.5}, {"value": -2.0})] == [1.5, -2.0]


def test_the_callers_steps_are_the_vector(call: Any) -> None:
    assert call("score/given_steps", {"values": [0.5, 1.0]})[0]["rewards"] == [0.5, 1.0]
