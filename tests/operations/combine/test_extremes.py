"""combine/mean, product, min, max, soft_min."""

import math
import statistics
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
components = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8)
UNWEIGHTED = ["mean", "product", "min", "max", "soft_min"]


def of(call: Any, name: str, *rewards: list[float], **params: Any) -> list[float]:
    return [r["reward"] for r in call(f"combine/{name}", *({"rewards": given} for given in rewards), **params)]


def test_each_combiner_on_the_same_three_rewards(call: Any) -> None:
    rewards = [0.5, 2.0, -1.0]
    assert of(call, "mean", rewards) == [0.5]
    assert of(call, "product", rewards) == [-1.0]
    assert of(call, "min", rewards) == [-1.0]
    assert of(call, "max", rewards) == [2.0]
    expected = -math.log((math.exp(-0.5) + math.exp(-2.0) + math.exp(1.0)) / 3)
    assert of(call, "soft_min", rewards) == [pytest.approx(expected)]


@pytest.mark.parametrize("name", UNWEIGHTED)
def test_names_do_not_matter_and_no_rewards_are_an_error(call: Any, name: str) -> None:
    named, listed, none = call(
        f"combine/{name}", {"rewards": {"a": 1.0, "b": 3.0}}, {"rewards": [3.0, 1.0]}, {"rewards": {}}
    )
    assert named["reward"] == pytest.approx(listed["reward"])
    assert none["error"]["param"] == "rewards"


@pytest.mark.parametrize("name", UNWEIGHTED)
@given(items=st.lists(components, min_size=1, max_size=5))
@LAWS
def test_an_item_is_answered_alone_as_in_any_batch(call: Any, name: str, items: list[list[float]]) -> None:
    assert of(call, name, *items) == [of(call, name, item)[0] for item in items]


@given(rewards=components, temperature=st.floats(1e-3, 1e3))
@LAWS
def test_the_soft_minimum_lies_between_the_least_and_the_mean(
    call: Any, rewards: list[float], temperature: float
) -> None:
    (value,) = of(call, "soft_min", rewards, temperature=temperature)
    assert min(rewards) - 1e-9 <= value <= statistics.fmean(rewards) + 1e-6


def test_a_small_temperature_gives_the_minimum_and_a_large_one_the_mean(call: Any) -> None:
    assert of(call, "soft_min", [1e4, -1e4], temperature=1e-3) == [pytest.approx(-1e4, abs=1e-2)]
    assert of(call, "soft_min", [1.0, 3.0], temperature=1e6) == [pytest.approx(2.0, abs=1e-5)]
