"""combine/krc (2305.15801)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "combine/krc"


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([0.8, 0.5, 0.9], 0.71138),
        ([0.8, -0.5, 0.9], -0.71138),
        ([0.8, 0, 0.9], 0.0),
        ([-0.8, 0, 0.9], 0.0),
        ([-0.8, -0.5], -0.63246),
        ([1, 1, 1], 1.0),
        ([-1], -1.0),
        ([0], 0.0),
    ],
)
def test_the_worked_examples_and_the_corners(call: Any, rewards: list[float], expected: float) -> None:
    (result,) = call(OP, {"rewards": rewards})
    assert result["reward"] == pytest.approx(expected, abs=1e-5)
    assert math.copysign(1, result["reward"]) == math.copysign(1, expected)


def test_names_do_not_matter(call: Any) -> None:
    assert call(OP, {"rewards": {"x": 0.8, "y": 0.5}})[0] == call(OP, {"rewards": [0.8, 0.5]})[0]


def test_values_outside_are_clipped_and_flagged_and_none_is_an_error(call: Any) -> None:
    wide, empty = call(OP, {"rewards": [4.0, 0.25]}, {"rewards": []})
    assert wide["reward"] == pytest.approx(0.5)
    assert wide["details"]["flags"] == ["clipped"]
    assert empty["error"]["param"] == "rewards"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5), min_size=1, max_size=3))
def test_bounded_free_of_order_and_the_same_one_by_one(call: Any, rows: list[list[float]]) -> None:
    items = [{"rewards": row} for row in rows]
    together = call(OP, *items)
    assert together == [call(OP, item)[0] for item in items]
    for row, result in zip(rows, together, strict=True):
        assert -1 <= result["reward"] <= 1
        assert call(OP, {"rewards": row[::-1]})[0]["reward"] == pytest.approx(result["reward"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=5))
def test_between_the_least_and_the_greatest_and_negative_if_any_is(call: Any, row: list[float]) -> None:
    good, spoiled = call(OP, {"rewards": row}, {"rewards": [*row[1:], -row[0]]})
    assert min(row) - 1e-9 <= good["reward"] <= max(row) + 1e-9
    assert spoiled["reward"] == pytest.approx(-good["reward"])
