"""combine/weighted (2511.16073)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

OP = "combine/weighted"
WEIGHTS = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"components": {"a": 1, "b": 0.5, "c": 1, "d": 0}}, weights=WEIGHTS)
    assert result["reward"] == pytest.approx(0.75)


def test_the_floor_holds_and_what_was_below_it_is_shown(call: Any) -> None:
    item = {"components": dict.fromkeys(WEIGHTS, -1)}
    assert call(OP, item, weights=WEIGHTS)[0]["reward"] == pytest.approx(-1)
    (result,) = call(OP, item, weights=WEIGHTS, floor=-0.5)
    assert result["reward"] == -0.5
    assert result["details"]["unfloored"] == pytest.approx(-1)


def test_bounds_clip_a_component_before_it_is_weighted(call: Any) -> None:
    (result,) = call(OP, {"components": {"a": -8, "b": 1}}, weights={"a": 0.5, "b": 0.5}, bounds={"a": [-1, 1]})
    assert result["reward"] == 0.0


def test_a_missing_component_is_an_error_and_so_is_one_without_a_weight(call: Any) -> None:
    missing, extra, fine = call(
        OP,
        {"components": {"a": 1.0}},
        {"components": {"a": 1.0, "b": 1.0, "x": 1.0}},
        {"components": {"a": 1.0, "b": 0.0}},
        weights={"a": 0.5, "b": 0.5},
    )
    assert missing["error"]["param"] == "components.b"
    assert extra["error"]["param"] == "components.x"
    assert fine["reward"] == 0.5


@pytest.mark.parametrize(
    "params",
    [
        {"weights": {"a": 0.5, "b": 0.6}},
        {"weights": {}},
        {"weights": {"a": 1.0}, "bounds": {"a": [1, -1]}},
        {"weights": {"a": 1.0}, "bounds": {"z": [0, 1]}},
    ],
)
def test_params_that_cannot_work_refuse_the_request(call: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        call(OP, {"components": {"a": 1.0}}, **params)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4))
def test_between_the_least_and_the_greatest_component(call: Any, values: list[float]) -> None:
    (result,) = call(OP, {"components": dict(zip(WEIGHTS, values, strict=True))}, weights=WEIGHTS)
    assert min(values) - 1e-9 <= result["reward"] <= max(values) + 1e-9
