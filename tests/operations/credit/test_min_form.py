"""credit/min_form: the rewards of steps sum to about the least of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OP = "credit/min_form"
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
steps = st.lists(st.floats(-1, 1), min_size=1, max_size=8)


def test_the_published_value(call: Any) -> None:
    (result,) = call(OP, {"step_rewards": [0.9, 0.2, 0.8]})
    assert result["rewards"] == pytest.approx([0.00082, 0.19932, 0.00198], abs=5e-6)
    assert result["details"]["returns"] == pytest.approx(np.cumsum(result["rewards"][::-1])[::-1])


@given(steps, st.floats(0.01, 10))
@LAWS
def test_their_sum_lies_between_the_least_and_the_mean(call: Any, rewards: list[float], temperature: float) -> None:
    (result,) = call(OP, {"step_rewards": rewards}, temperature=temperature)
    total = sum(result["rewards"])
    assert min(rewards) - 1e-12 <= total <= np.mean(rewards) + 1e-12
    assert result["details"]["returns"][0] == pytest.approx(total)


@given(steps)
@LAWS
def test_it_is_the_least_where_it_is_cold_and_the_mean_where_it_is_hot(call: Any, rewards: list[float]) -> None:
    (cold,) = call(OP, {"step_rewards": rewards}, temperature=1e-9)
    (hot,) = call(OP, {"step_rewards": rewards}, temperature=1e9)
    assert sum(cold["rewards"]) == pytest.approx(min(rewards), abs=1e-6)
    assert sum(hot["rewards"]) == pytest.approx(np.mean(rewards), abs=1e-6)


@given(steps, st.sampled_from([0.5, 2.0, 16.0]))
@LAWS
def test_rewards_and_temperature_may_be_of_another_unit(call: Any, rewards: list[float], scale: float) -> None:
    (plain,) = call(OP, {"step_rewards": rewards}, temperature=0.5)
    (scaled,) = call(OP, {"step_rewards": [scale * r for r in rewards]}, temperature=0.5 * scale)
    assert scaled["rewards"] == pytest.approx([scale * r for r in plain["rewards"]], abs=1e-12)


def test_a_step_keeps_its_reward_alone_and_equal_ones_share_it(call: Any) -> None:
    one, three, none = call(OP, {"step_rewards": [-0.3]}, {"step_rewards": [0.6] * 3}, {"step_rewards": []})
    assert one["rewards"] == [-0.3]
    assert three["rewards"] == pytest.approx([0.2] * 3)
    assert none["rewards"] == []


def test_the_largest_numbers_are_compared_too(call: Any) -> None:
    (result,) = call(OP, {"step_rewards": [1e308, -1e308]})
    assert result["rewards"] == [0, -1e308]
