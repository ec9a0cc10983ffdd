"""credit/verpo (2601.03525)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

OP = "credit/verpo"
GROUP = [
    {"turn_pass": [[1, 1, 0]], "success": False},
    {"turn_pass": [[1, 0, 0]], "success": False},
    {"turn_pass": [[1, 1, 1]], "success": True},
]
EXAMPLE = {"alpha": 1.0, "sigma": 0.1, "delta": 1e-6, "beta": 1.0, "gamma": 1.0}


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"group": GROUP}, **EXAMPLE)
    details = result["details"]
    assert details["pass_rates"] == pytest.approx([1, 0.6667, 0.3333], abs=1e-4)
    assert details["density"] == pytest.approx([1.00387, 1.00773, 1.00387], abs=1e-5)
    assert details["weights"] == pytest.approx([0.36646, 0.50948, 0.71377], abs=1e-5)
    assert details["turn_rewards"] == pytest.approx([0.87594, 0.36646, 1.58971], abs=1e-5)
    assert [turns[0] for turns in result["rewards"]] == pytest.approx([-0.40143, -0.91091, 1.31234], abs=1e-5)


@pytest.mark.parametrize("name", EXAMPLE)
def test_no_value_that_is_not_public_is_guessed(call: Any, name: str) -> None:
    with pytest.raises(InvalidRequest):
        call(OP, {"group": GROUP}, **{other: value for other, value in EXAMPLE.items() if other != name})


def test_success_defaults_to_the_last_turn_passing_everything(call: Any) -> None:
    bare = [{"turn_pass": rollout["turn_pass"]} for rollout in GROUP]
    assert call(OP, {"group": bare}, **EXAMPLE)[0] == call(OP, {"group": GROUP}, **EXAMPLE)[0]


def test_success_is_discounted_by_the_turns_it_took(call: Any) -> None:
    group = [{"turn_pass": [[0], [1]], "success": 1}, {"turn_pass": [[1]], "success": 1}]
    (result,) = call(OP, {"group": group}, **{**EXAMPLE, "gamma": 0.5})
    assert result["details"]["trajectory_advantages"] == pytest.approx([-0.125, 0.125])
    assert [len(turns) for turns in result["rewards"]] == [2, 1]


def test_equal_rollouts_have_no_advantage(call: Any) -> None:
    (result,) = call(OP, {"group": [{"turn_pass": [[1, 0, 1]], "success": False}] * 3}, **EXAMPLE)
    assert result["rewards"] == [[0], [0], [0]]


def test_a_group_without_turns_tests_or_agreement_is_an_error(call: Any) -> None:
    for broken in call(
        OP,
        {"group": []},
        {"group": [{"turn_pass": []}]},
        {"group": [{"turn_pass": [[]]}]},
        {"group": [{"turn_pass": [[1, 0]]}, {"turn_pass": [[1]]}]},
        {"group": [{"turn_pass": [[0.5]]}]},
        **EXAMPLE,
    ):
        assert broken["error"]["code"] == "invalid_field"


BITS = st.lists(st.sampled_from([0, 1]), min_size=3, max_size=3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(BITS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_centred_finite_and_free_of_order(call: Any, rollouts: list[list[list[int]]]) -> None:
    group = [{"turn_pass": turns} for turns in rollouts]
    result, reverse = call(OP, {"group": group}, {"group": group[::-1]}, **EXAMPLE)
    assert sum(result["details"]["trajectory_advantages"]) == pytest.approx(0, abs=1e-9)
    flat = [value for turns in result["rewards"] for value in turns]
    assert all(math.isfinite(value) for value in flat)
    assert [v for turns in reverse["rewards"][::-1] for v in turns] == pytest.approx(flat, abs=1e-9)
