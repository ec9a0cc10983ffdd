"""Transforms of one reward at a time: clip, sigmoid, tanh, power, log, symlog, minmax."""

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
rewards = st.floats(-1e4, 1e4)
MONOTONE: list[tuple[str, dict[str, Any]]] = [
    ("clip", {"low": -1.0, "high": 2.0}),
    ("sigmoid", {"center": 0.5, "scale": 2.0}),
    ("tanh", {"scale": 100.0}),
    ("power", {"exponent": 0.5}),
    ("power", {"exponent": 3.0}),
    ("symlog", {}),
    ("log", {"floor": 1e-3}),
    ("minmax", {"low": -5.0, "high": 5.0}),
    ("minmax", {"low": -5.0, "high": 5.0, "clip": False}),
]


def of(call: Any, name: str, *values: float, **params: Any) -> list[float]:
    results = call(f"transform/{name}", *({"reward": value} for value in values), **params)
    return [result["reward"] for result in results]


@pytest.mark.parametrize(("name", "params"), MONOTONE)
@given(a=rewards, b=rewards)
@LAWS
def test_a_higher_reward_never_becomes_a_lower_one(
    call: Any, name: str, params: dict[str, Any], a: float, b: float
) -> None:
    low, high = of(call, name, min(a, b), max(a, b), **params)
    assert math.isfinite(low)
    assert low <= high


@pytest.mark.parametrize(
    ("name", "params"),
    [("tanh", {}), ("power", {"exponent": 1.7}), ("symlog", {}), ("clip", {"low": -2.0, "high": 2.0})],
)
@given(value=rewards)
@LAWS
def test_odd_curves_mirror_the_sign(call: Any, name: str, params: dict[str, Any], value: float) -> None:
    plus, minus = of(call, name, value, -value, **params)
    assert plus == -minus


def test_clip_binds_only_where_a_bound_is_given(call: Any) -> None:
    assert of(call, "clip", -9.0, 0.5, 9.0, low=-1.0, high=1.0) == [-1.0, 0.5, 1.0]
    assert of(call, "clip", -9.0, 9.0, high=1.0) == [-9.0, 1.0]


@pytest.mark.parametrize("params", [{}, {"low": 1.0, "high": 0.0}])
def test_bounds_that_cannot_work_refuse_the_request(call: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        of(call, "clip", 0.0, **params)


def test_the_sigmoid_is_a_half_at_its_centre_and_exact_in_its_tails(call: Any) -> None:
    middle, tail, far = of(call, "sigmoid", 2.0, -38.0, 1e4, center=2.0)
    assert middle == 0.5
    assert tail == pytest.approx(math.exp(-40.0), rel=1e-12)
    assert far == 1.0


def test_tanh_is_the_hyperbolic_tangent_of_the_scaled_distance(call: Any) -> None:
    assert of(call, "tanh", 3.0, center=1.0, scale=4.0) == [pytest.approx(math.tanh(0.5))]


def test_powers_keep_the_sign(call: Any) -> None:
    assert of(call, "power", -4.0, 9.0, exponent=0.5) == [-2.0, 3.0]


def test_a_power_beyond_double_precision_is_an_error_and_never_a_number(call: Any) -> None:
    overflowing, fine = call("transform/power", {"reward": 1e300}, {"reward": 2.0}, exponent=2.0)
    assert overflowing["error"]["code"] == "not_finite"
    assert overflowing["reward"] is None
    assert fine["reward"] == 4.0


def test_the_logarithm_of_a_reward_that_has_none_is_that_items_error(call: Any) -> None:
    zero, one = call("transform/log", {"reward": 0.0}, {"reward": 1.0})
    assert zero["error"]["param"] == "reward"
    assert one["reward"] == 0.0
    assert of(call, "log", 0.0, -3.0, floor=math.exp(-2.0)) == [pytest.approx(-2.0), pytest.approx(-2.0)]


def test_symlog_is_nearly_linear_near_zero(call: Any) -> None:
    small, large = of(call, "symlog", 1e-6, math.e - 1.0)
    assert small == pytest.approx(1e-6, rel=1e-5)
    assert large == pytest.approx(1.0)


def test_minmax_puts_the_ends_of_the_range_exactly_on_the_ends_of_the_new_one(call: Any) -> None:
    assert of(call, "minmax", 1.0, 3.0, 5.0, 9.0, low=1.0, high=5.0) == [0.0, 0.5, 1.0, 1.0]
    assert of(call, "minmax", 1.0, 5.0, low=1.0, high=5.0, to_low=-0.1, to_high=0.3) == [-0.1, 0.3]
    assert of(call, "minmax", 9.0, low=1.0, high=5.0, clip=False) == [2.0]
