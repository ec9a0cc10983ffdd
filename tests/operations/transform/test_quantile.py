"""transform/quantile."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
rewards = st.floats(-1e4, 1e4)


def test_the_level_is_the_share_of_references_below_with_ties_counted_half(call: Any) -> None:
    items = [{"reward": value} for value in (0.0, 1.0, 1.5, 2.0, 3.0)]
    results = call("transform/quantile", *items, references=[2.0, 1.0, 2.0, 1.0])
    assert [result["reward"] for result in results] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_an_items_own_references_come_before_those_of_the_request(call: Any) -> None:
    own, common = call(
        "transform/quantile", {"reward": 1.0, "reference_rewards": [5.0, 6.0]}, {"reward": 1.0}, references=[0.0]
    )
    assert own["reward"] == 0.0
    assert common["reward"] == 1.0


def test_between_quantiles_the_level_is_linear(call: Any) -> None:
    items = [{"reward": value} for value in (-1.0, 0.0, 5.0, 10.0, 15.0, 99.0)]
    results = call("transform/quantile", *items, quantiles=[0.0, 10.0, 20.0])
    assert [result["reward"] for result in results] == [0.0, 0.0, 0.25, 0.5, 0.75, 1.0]


def test_without_a_distribution_the_item_is_an_error(call: Any) -> None:
    (result,) = call("transform/quantile", {"reward": 1.0})
    assert result["error"]["code"] == "invalid_field"


@pytest.mark.parametrize(
    "params", [{"quantiles": [1.0, 1.0]}, {"quantiles": [0.0, 1.0], "references": [1.0]}, {"references": []}]
)
def test_a_distribution_that_cannot_work_refuses_the_request(call: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        call("transform/quantile", {"reward": 1.0}, **params)


@given(references=st.lists(rewards, min_size=1, max_size=20), a=rewards, b=rewards)
@LAWS
def test_levels_stay_in_the_unit_interval_and_in_order(call: Any, references: list[float], a: float, b: float) -> None:
    low, high = call("transform/quantile", {"reward": min(a, b)}, {"reward": max(a, b)}, references=references)
    assert 0.0 <= low["reward"] <= high["reward"] <= 1.0
