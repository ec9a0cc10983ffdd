"""transform/par_running: the running siblings of PAR."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.transform.running_scale import moments_of

OP = "transform/par_running"
NOTHING = np.empty((0, 2))


def test_meanstd_uses_the_population_std_of_the_stream(call: Any) -> None:
    rewards = [1.0, 3.0, -2.0]
    (result,) = call(OP, {"stream": "s", "rewards": rewards}, answers=[moments_of(np.array(rewards))])
    expected = (np.array(rewards) - np.mean(rewards)) / np.std(rewards)
    assert result["rewards"] == pytest.approx(expected.tolist())


def test_meanstd_without_spread_divides_by_one(call: Any) -> None:
    (result,) = call(OP, {"stream": "s", "rewards": [0.1] * 3}, answers=[moments_of(np.array([0.1] * 3))])
    assert result["rewards"] == pytest.approx([0, 0, 0])


def test_clip_keeps_within_one_std_of_the_mean(call: Any) -> None:
    rewards = [0.0, 0.0, 0.0, 8.0]
    seen = moments_of(np.array(rewards))
    (result,) = call(OP, {"stream": "s", "rewards": rewards}, answers=[seen], shape="clip")
    assert result["rewards"] == pytest.approx([0, 0, 0, 2 + np.std(rewards)])


def test_minmax_spans_all_that_the_stream_has_seen(call: Any) -> None:
    item = {"stream": "s", "rewards": [1.0, 2.0]}
    assert call(OP, item, answers=[NOTHING, None], shape="minmax")[0]["rewards"] == [0.0, 1.0]
    (later,) = call(OP, item, answers=[np.array([[0.0, 1.0], [0.0, 4.0]])], shape="minmax")
    assert later["rewards"] == [0.25, 0.5]


def test_minmax_of_equal_values_is_zero(call: Any) -> None:
    (result,) = call(OP, {"stream": "s", "rewards": [3.0, 3.0]}, answers=[NOTHING, None], shape="minmax")
    assert result["rewards"] == [0.0, 0.0]


@pytest.mark.parametrize("shape", ["meanstd", "clip", "minmax"])
@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6))
def test_finite_and_monotone(call: Any, shape: str, rewards: list[float]) -> None:
    answers: list[Any] = [NOTHING, None] if shape == "minmax" else [moments_of(np.array(rewards))]
    (result,) = call(OP, {"stream": "s", "rewards": rewards}, answers=answers, shape=shape)
    assert all(math.isfinite(value) for value in result["rewards"])
    order = np.argsort(rewards)
    assert (np.diff(np.array(result["rewards"])[order]) >= 0).all()
    if shape == "minmax":
        assert all(0 <= value <= 1 for value in result["rewards"])
