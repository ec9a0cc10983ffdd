"""combine/lexicographic."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ORDER = [{"name": "safe", "steps": 2}, {"name": "right", "steps": 5}, {"name": "short", "low": -1.0, "steps": 4}]
row = st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 3))


def item(digits: tuple[int, int, int]) -> dict[str, dict[str, float]]:
    safe, right, short = digits
    return {"rewards": {"safe": float(safe), "right": right / 5, "short": -1.0 + short / 2}}


@given(a=row, b=row)
@LAWS
def test_the_numbers_stand_in_the_order_of_the_tuples(
    call: Any, a: tuple[int, int, int], b: tuple[int, int, int]
) -> None:
    left, right = call("combine/lexicographic", item(a), item(b), order=ORDER)
    assert tuple(left["details"]["digits"]) == a
    assert (left["reward"] < right["reward"]) == (a < b)
    assert (left["reward"] == right["reward"]) == (a == b)
    assert 0.0 <= left["reward"] <= 1.0


def test_the_worst_is_zero_and_the_best_is_one(call: Any) -> None:
    worst, best = call("combine/lexicographic", item((0, 0, 0)), item((1, 4, 3)), order=ORDER)
    assert (worst["reward"], best["reward"]) == (0.0, 1.0)


def test_values_within_one_step_are_ties(call: Any) -> None:
    order = [{"name": "a", "steps": 10}]
    low, high, next_up = call(
        "combine/lexicographic", *({"rewards": {"a": v}} for v in (0.30, 0.39, 0.40)), order=order
    )
    assert low["reward"] == high["reward"] < next_up["reward"]


def test_a_missing_component_is_an_error(call: Any) -> None:
    (result,) = call("combine/lexicographic", {"rewards": {"safe": 1.0}}, order=ORDER)
    assert result["error"]["param"] == "rewards.right"


def test_more_levels_than_a_double_can_tell_apart_are_refused(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="use fewer"):
        call("combine/lexicographic", item((0, 0, 0)), order=[{"name": "safe", "steps": 1_000_000}] * 3)
