"""score/perceptual_step (1612.06699)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "score/perceptual_step"
STEP = {"mean": [1.1, 1.9], "std": [0.1, 0.2]}


def test_the_worked_examples(call: Any) -> None:
    (one,) = call(OP, {"features": [1, 2], "steps": [STEP]}, start=1)
    assert one["reward"] == pytest.approx(-0.625)
    two = {"features": [1, 2], "steps": [STEP, {"mean": [3, 2], "std": [1, 1]}]}
    assert call(OP, two, start=1)[0]["reward"] == pytest.approx(-4.625)
    assert call(OP, two)[0]["reward"] == pytest.approx(-4.0)
    assert call(OP, two)[0]["details"]["steps"] == pytest.approx([-0.625, -2])


def test_a_task_names_stored_steps(call: Any) -> None:
    (result,) = call(OP, {"features": [1, 2], "task": "door"}, answers=[{"steps": [STEP]}], start=1)
    assert result["reward"] == pytest.approx(-0.625)


def test_a_zero_deviation_is_floored(call: Any) -> None:
    (result,) = call(OP, {"features": [1e4], "steps": [{"mean": [-1e4], "std": [0]}]}, start=1)
    assert math.isfinite(result["reward"])
    exact = call(OP, {"features": [1], "steps": [{"mean": [1], "std": [0]}]}, start=1)[0]
    assert exact["reward"] == 0


def test_no_steps_that_count_and_unequal_lengths_are_errors(call: Any) -> None:
    for broken in call(
        OP,
        {"features": [1, 2]},
        {"features": [1, 2], "steps": [STEP]},
        {"features": [1], "steps": [STEP, STEP]},
        {"features": [], "steps": [{"mean": [], "std": []}] * 2},
        {"features": [1, 2], "steps": [STEP] * 65},
    ):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=4), st.integers(2, 5))
def test_greatest_at_the_mean_of_every_step(call: Any, features: list[float], count: int) -> None:
    steps = [{"mean": [0.0] * len(features), "std": [1.0] * len(features)}] * count
    off, at = call(OP, {"features": features, "steps": steps}, {"features": [0.0] * len(features), "steps": steps})
    assert at["reward"] == 0
    assert off["reward"] <= 0
