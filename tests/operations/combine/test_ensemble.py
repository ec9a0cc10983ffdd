"""combine/ensemble (2509.16127, 2401.06080)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "combine/ensemble"
HOW = ["mean", "median", "min", "max", "mean_minus_std", "mean_minus_variance"]


def test_the_worked_examples(call: Any) -> None:
    assert call(OP, {"scores": [1.8, 0.6]}, how="mean")[0]["reward"] == pytest.approx(1.2)
    (gaps,) = call(OP, {"scores": [0.5, -0.2, 0.9]})
    assert gaps["details"]["mean"] == pytest.approx(0.4)
    assert gaps["details"]["std"] == pytest.approx(0.4546, abs=1e-4)


def test_every_way(call: Any) -> None:
    item = {"scores": {"a": 1.0, "b": 2.0, "c": 6.0}}
    values = {how: call(OP, item, how=how, k=0.5)[0]["reward"] for how in HOW}
    std = math.sqrt(14 / 3)
    assert values == pytest.approx(
        {
            "mean": 3,
            "median": 2,
            "min": 1,
            "max": 6,
            "mean_minus_std": 3 - 0.5 * std,
            "mean_minus_variance": 3 - 0.5 * 14 / 3,
        }
    )


@pytest.mark.parametrize("how", HOW)
def test_one_member_is_its_own_ensemble_and_none_is_an_error(call: Any, how: str) -> None:
    one, none = call(OP, {"scores": [0.7]}, {"scores": []}, how=how)
    assert one["reward"] == pytest.approx(0.7)
    assert one["details"]["std"] == 0
    assert none["error"]["param"] == "scores"


@pytest.mark.parametrize("how", HOW)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5), min_size=1, max_size=3))
def test_finite_free_of_order_and_the_same_one_by_one(call: Any, how: str, rows: list[list[float]]) -> None:
    items = [{"scores": row} for row in rows]
    together = call(OP, *items, how=how)
    assert together == [call(OP, item, how=how)[0] for item in items]
    for row, result in zip(rows, together, strict=True):
        (reverse,) = call(OP, {"scores": row[::-1]}, how=how)
        assert reverse["reward"] == pytest.approx(result["reward"], abs=1e-6)
        assert math.isfinite(result["reward"])
        assert result["reward"] <= max(row) + 1e-6


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5), st.floats(-100, 100))
def test_a_common_shift_of_the_members_shifts_the_ensemble(call: Any, row: list[float], shift: float) -> None:
    for how in HOW:
        plain, moved = call(OP, {"scores": row}, {"scores": [value + shift for value in row]}, how=how)
        assert moved["reward"] == pytest.approx(plain["reward"] + shift, rel=1e-6, abs=1e-6)
