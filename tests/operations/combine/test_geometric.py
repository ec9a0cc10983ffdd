"""combine/geometric."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

PATH = "combine/geometric"
HALVES = {"user": 0.5, "llm": 0.5}
welfare = st.floats(0, 1e4)


def test_mutual_welfare_is_the_root_of_the_product(call: Any) -> None:
    item = {"rewards": {"user": 0.64, "llm": 0.81}}
    assert call(PATH, item, weights=HALVES)[0]["reward"] == pytest.approx(0.72)
    assert call(PATH, item)[0]["reward"] == pytest.approx(0.72)


def test_exponents_are_taken_as_they_are(call: Any) -> None:
    [result] = call(PATH, {"rewards": {"a": 3.0, "b": 2.0}}, weights={"a": 2, "b": 1})
    assert result["reward"] == pytest.approx(18.0)


def test_a_loss_on_one_side_leaves_nothing(call: Any) -> None:
    [result] = call(PATH, {"rewards": {"user": -0.5, "llm": 0.9}}, weights=HALVES)
    assert result["reward"] == 0.0
    assert result["details"]["clipped"] == ["user"]


def test_a_weight_of_nothing_ignores_its_component(call: Any) -> None:
    [result] = call(PATH, {"rewards": {"user": -0.5, "llm": 0.9, "other": 7.0}}, weights={"user": 0, "llm": 1})
    assert result["reward"] == pytest.approx(0.9)


def test_a_component_that_is_not_there_is_the_items_error(call: Any) -> None:
    lacks, empty, fine = call(
        PATH, {"rewards": {"user": 1}}, {"rewards": {}}, {"rewards": {"user": 1, "llm": 1}}, weights=HALVES
    )
    assert lacks["error"]["param"] == "rewards.llm"
    assert empty["error"]["code"] == "missing_field"
    assert fine["reward"] == 1.0
    assert call(PATH, {"rewards": {}})[0]["error"]["code"] == "missing_field"


def test_a_negative_exponent_is_refused(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="user"):
        call(PATH, {"rewards": {"user": 1}}, weights={"user": -1})


@given(st.lists(st.dictionaries(st.sampled_from("abc"), welfare, min_size=1), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_lies_between_its_components_whatever_else_is_in_the_batch(call: Any, rows: list[dict[str, float]]) -> None:
    results = call(PATH, *({"rewards": row} for row in rows))
    for row, result in zip(rows, results, strict=True):
        assert min(row.values()) * (1 - 1e-9) <= result["reward"] <= max(row.values()) * (1 + 1e-9)
        assert result["reward"] == pytest.approx(call(PATH, {"rewards": row})[0]["reward"], rel=1e-12)


@given(welfare, welfare, st.floats(0, 10))
@settings(max_examples=50, deadline=None)
def test_more_for_anyone_is_never_worth_less(call: Any, a: float, b: float, more: float) -> None:
    one, other = call(
        PATH, {"rewards": {"user": a, "llm": b}}, {"rewards": {"user": a + more, "llm": b}}, weights=HALVES
    )
    assert other["reward"] >= one["reward"] * (1 - 1e-12)
