"""transform/running_scale (2401.06080)."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.effects import MergeMoments, Moments
from reward_gateway.operations.transform.running_scale import moments_of

OP = "transform/running_scale"
NUMBERS = st.floats(-1e4, 1e4)


def test_the_worked_example(call: Any) -> None:
    rewards = [1, 3, -2]
    (result,) = call(OP, {"stream": "run42", "rewards": rewards}, answers=[moments_of(np.array(rewards, float))])
    assert result["rewards"] == pytest.approx([0.39736, 1.19208, -0.79472], abs=1e-5)
    assert result["details"]["std"] == pytest.approx(2.51661, abs=1e-5)


def test_the_batch_updates_the_moments_before_it_is_scaled() -> None:
    from reward_gateway.operations.apply import apply
    from reward_gateway.operations.registry import catalog

    operation = catalog().get("transform", "running_scale")
    assert operation is not None
    steps = apply(operation, [{"stream": "s", "rewards": [1.0, 3.0]}], {})
    need = next(steps)
    assert need == MergeMoments("s", Moments(2.0, 2.0, 2.0))


def test_single_rewards_of_one_stream_are_one_batch_and_keep_their_places(call: Any) -> None:
    items = [{"stream": "a", "reward": 1.0}, {"stream": "b", "reward": 5.0}, {"stream": "a", "reward": 3.0}]
    results = call(OP, *items, answers=[Moments(2, 2.0, 2.0), Moments(1, 5.0, 0.0)])
    assert [r["reward"] for r in results] == pytest.approx([1 / math.sqrt(2), 5.0, 3 / math.sqrt(2)])


def test_center_subtracts_the_running_mean(call: Any) -> None:
    (result,) = call(OP, {"stream": "s", "rewards": [1.0, 3.0]}, answers=[Moments(2, 2.0, 2.0)], center=True)
    assert result["rewards"] == pytest.approx([-1 / math.sqrt(2), 1 / math.sqrt(2)])


@pytest.mark.parametrize("rewards", [[4.0], [0.1, 0.1, 0.1], [0.0, 0.0]])
def test_no_spread_leaves_the_reward(call: Any, rewards: list[float]) -> None:
    (result,) = call(OP, {"stream": "s", "rewards": rewards}, answers=[moments_of(np.array(rewards))])
    assert result["rewards"] == pytest.approx(rewards)


def test_clipped_to_ten_unless_told_otherwise(call: Any) -> None:
    item = {"stream": "s", "rewards": [500.0]}
    seen = Moments(10, 0.0, 9.0)
    assert call(OP, item, answers=[seen])[0]["rewards"] == [10.0]
    assert call(OP, item, answers=[seen], clip=None)[0]["rewards"] == [500.0]


def test_a_stream_may_be_named_in_the_params_and_must_be_named(call: Any) -> None:
    assert call(OP, {"reward": 1.0}, answers=[Moments(1, 1.0, 0.0)], stream="s")[0]["reward"] == 1.0
    nameless, empty = call(OP, {"reward": 1.0}, {"stream": "s"})
    assert nameless["error"]["code"] == empty["error"]["code"] == "missing_field"


def test_an_empty_batch_is_answered_by_an_empty_vector(call: Any) -> None:
    assert call(OP, {"stream": "s", "rewards": []}, answers=[Moments()])[0]["rewards"] == []


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=8), st.integers(1, 7))
def test_moments_of_parts_merge_into_moments_of_the_whole(values: list[float], cut: int) -> None:
    whole = moments_of(np.array(values))
    parts = moments_of(np.array(values[:cut])).merged(moments_of(np.array(values[cut:])))
    assert parts.count == whole.count
    assert parts.mean == pytest.approx(whole.mean, abs=1e-9)
    assert parts.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_bounded_finite_and_the_sign_stays(call: Any, rewards: list[float]) -> None:
    (result,) = call(OP, {"stream": "s", "rewards": rewards}, answers=[moments_of(np.array(rewards))])
    for before, after in zip(rewards, result["rewards"], strict=True):
        assert math.isfinite(after)
        assert abs(after) <= 10
        assert before * after >= 0
