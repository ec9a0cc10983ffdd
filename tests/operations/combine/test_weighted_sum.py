"""combine/weighted_sum and combine/gate."""

from typing import Any

import pytest


def test_a_sum_takes_the_components_that_have_a_weight(call: Any) -> None:
    item = {"rewards": {"helpful": 2.0, "short": -1.0, "ignored": 99.0}}
    (result,) = call("combine/weighted_sum", item, weights={"helpful": 0.5, "short": 2.0})
    assert result["reward"] == -1.0


def test_without_weights_all_components_of_the_item_count_once(call: Any) -> None:
    two, one = call("combine/weighted_sum", {"rewards": {"a": 1.0, "b": 2.0}}, {"rewards": {"a": 5.0}})
    assert two["reward"] == 3.0
    assert one["reward"] == 5.0


def test_a_weighted_component_that_is_missing_is_an_error_and_not_zero(call: Any) -> None:
    missing, fine = call(
        "combine/weighted_sum", {"rewards": {"a": 1.0}}, {"rewards": {"a": 1.0, "b": 1.0}}, weights={"a": 1.0, "b": 0.0}
    )
    assert missing["reward"] is None
    assert missing["error"]["param"] == "rewards.b"
    assert fine["reward"] == 1.0


def test_nothing_to_add_is_an_error_and_not_zero(call: Any) -> None:
    (result,) = call("combine/weighted_sum", {"rewards": {}})
    assert result["reward"] is None


def test_behind_a_closed_gate_nothing_counts(call: Any) -> None:
    items = [{"rewards": {"format": value, "quality": 5.0, "brevity": -1.0}} for value in (0.0, 0.99, 1.0)]
    results = call("combine/gate", *items, gate="format")
    assert [result["reward"] for result in results] == [0.0, 0.99, 5.0]
    assert [result["details"]["open"] for result in results] == [False, False, True]


def test_the_gates_own_value_can_stay_out_of_the_sum_and_the_rest_be_weighted(call: Any) -> None:
    items = [{"rewards": {"format": value, "quality": 5.0, "brevity": -1.0}} for value in (-1.0, 0.5)]
    results = call("combine/gate", *items, gate="format", threshold=0.5, count_gate=False, weights={"quality": 0.1})
    assert [result["reward"] for result in results] == [-1.0, pytest.approx(0.5)]


def test_without_its_gate_or_a_weighted_component_an_item_is_an_error(call: Any) -> None:
    no_gate, no_quality = call(
        "combine/gate",
        {"rewards": {"quality": 1.0}},
        {"rewards": {"format": 0.0}},
        gate="format",
        weights={"quality": 1.0},
    )
    assert no_gate["error"]["param"] == "rewards.format"
    assert no_quality["error"]["param"] == "rewards.quality"
