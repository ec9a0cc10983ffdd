"""transform/distance_reward (Lucy-SKG)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "transform/distance_reward"


def test_the_worked_example(call: Any) -> None:
    assert call(OP, {"distance": 1000}, scale=2300.0)[0]["reward"] == pytest.approx(0.80462, abs=1e-5)
    assert call(OP, {"distance": 1000}, scale=2300.0, signed=True)[0]["reward"] == pytest.approx(0.60924, abs=1e-5)


def test_density_takes_the_root_and_dispersion_divides(call: Any) -> None:
    plain = call(OP, {"distance": 1000}, scale=2300.0)[0]["reward"]
    assert call(OP, {"distance": 1000}, scale=2300.0, density=2.0)[0]["reward"] == pytest.approx(plain**0.5)
    assert call(OP, {"distance": 2000}, scale=2300.0, dispersion=2.0)[0]["reward"] == pytest.approx(plain)


def test_signed_takes_the_sign_before_the_root(call: Any) -> None:
    params = {"scale": 4570.0, "dispersion": 0.5363, "density": 0.5703, "signed": True}
    near, far, edge = call(OP, {"distance": 2812.524}, {"distance": 4570.0}, {"distance": 0.0}, **params)
    assert near["reward"] == pytest.approx(0.02675, abs=1e-5)
    assert far["reward"] == pytest.approx(-((1 - 2 * math.exp(-0.5 / 0.5363)) ** (1 / 0.5703)))
    assert edge["reward"] == 1.0


def test_a_negative_distance_is_an_error(call: Any) -> None:
    assert call(OP, {"distance": -1.0}, scale=1.0)[0]["error"]["param"] == "distance"


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0.1, 1e4))
def test_within_zero_and_one_and_falling(call: Any, a: float, b: float, scale: float) -> None:
    near, far = sorted((a, b))
    close, distant = call(OP, {"distance": near}, {"distance": far}, scale=scale)
    assert 0 <= distant["reward"] <= close["reward"] <= 1
