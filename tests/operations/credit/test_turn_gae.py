"""credit/turn_gae: advantages of turns from a critic's values."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OP = "credit/turn_gae"
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
shares = st.floats(0, 1)


@st.composite
def episodes(draw: Any) -> dict[str, Any]:
    rewards = draw(st.lists(st.floats(-10, 10), max_size=6))
    return {
        "turn_rewards": rewards,
        "values": draw(st.lists(st.floats(-10, 10), min_size=len(rewards) + 1, max_size=len(rewards) + 1)),
    }


def test_the_published_value(call: Any) -> None:
    (result,) = call(OP, {"turn_rewards": [0, 1], "values": [0.5, 0.6, 0]})
    assert result["rewards"] == pytest.approx([0.48, 0.4])
    assert result["details"]["returns"] == pytest.approx([0.98, 1.0])


@given(episodes(), shares, shares)
@LAWS
def test_each_advantage_is_its_error_and_a_share_of_the_next(call: Any, item: Any, gamma: float, lam: float) -> None:
    (result,) = call(OP, item, gamma=gamma, **{"lambda": lam})
    rewards, values = np.array(item["turn_rewards"]), np.array(item["values"])
    advantages = np.append(result["rewards"], 0.0)
    deltas = rewards + gamma * values[1:] - values[:-1]
    assert result["details"]["deltas"] == pytest.approx(deltas)
    assert advantages[:-1] == pytest.approx(deltas + gamma * lam * advantages[1:])
    assert result["details"]["returns"] == pytest.approx(advantages[:-1] + values[:-1])


@given(episodes(), shares)
@LAWS
def test_with_lambda_one_it_telescopes_to_what_is_still_to_come(call: Any, item: Any, gamma: float) -> None:
    (result,) = call(OP, item, gamma=gamma, **{"lambda": 1.0})
    rewards, values = item["turn_rewards"], item["values"]
    for t, advantage in enumerate(result["rewards"]):
        to_come = sum(gamma ** (k - t) * rewards[k] for k in range(t, len(rewards)))
        assert advantage == pytest.approx(to_come + gamma ** (len(rewards) - t) * values[-1] - values[t], abs=1e-9)


@given(episodes(), st.floats(-100, 100), shares)
@LAWS
def test_without_a_discount_values_may_be_shifted_together(call: Any, item: Any, shift: float, lam: float) -> None:
    moved = {**item, "values": [value + shift for value in item["values"]]}
    plain, shifted = call(OP, item, moved, **{"lambda": lam})
    assert shifted["rewards"] == pytest.approx(plain["rewards"], abs=1e-9)


@pytest.mark.parametrize(
    "item",
    [
        {"turn_rewards": [1], "values": [1]},
        {"turn_rewards": [1], "values": [1, 1, 1]},
        {"turn_rewards": [], "values": []},
        {"turn_rewards": [1e308], "values": [-1e308, 0]},
        {"turn_rewards": [1e308, 1e308], "values": [0, 0, 0]},
    ],
)
def test_another_number_of_values_and_what_runs_over_are_that_items_error(call: Any, item: Any) -> None:
    fine = {"turn_rewards": [], "values": [3]}
    one, result, other = call(OP, fine, item, fine)
    assert result["error"]["param"] == "values"
    assert one["rewards"] == other["rewards"] == []
