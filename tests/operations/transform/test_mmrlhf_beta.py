"""transform/mmrlhf_beta and transform/mmrlhf_batch (2502.10391)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP, BATCH = "transform/mmrlhf_beta", "transform/mmrlhf_batch"
NUMBERS = st.floats(-1e4, 1e4)


def test_the_worked_example(call: Any) -> None:
    rewards = [result["reward"] for result in call(OP, *({"margin": m} for m in (0, 1, 2, 10, -3)))]
    assert rewards == pytest.approx([0.1, 0.11967, 0.13161, 0.14966, 0.1], abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(NUMBERS, NUMBERS)
def test_within_its_limits_and_never_falling(call: Any, a: float, b: float) -> None:
    low, high = sorted((a, b))
    less, more = call(OP, {"margin": low}, {"margin": high})
    assert 0.1 <= less["reward"] <= more["reward"] <= 0.15 + 1e-12


def test_the_released_rule_looks_at_the_batch(call: Any) -> None:
    (result,) = call(BATCH, {"margins": [1, 2, 3]})
    assert result["rewards"] == pytest.approx([0.09, 0.1, 0.11])
    assert result["details"]["weights"][1] == 1.0
    assert call(BATCH, {"margins": [1, 2, 3, 4, 5]}, keep=0.8)[0]["details"]["samples"] == 4


def test_the_released_rule_never_goes_below_its_floor_and_needs_a_batch(call: Any) -> None:
    wide, empty, equal = call(BATCH, {"margins": [-1e4, 1e4]}, {"margins": []}, {"margins": [0.1] * 3})
    assert wide["rewards"][0] == 1e-3
    assert empty["error"]["code"] == "invalid_field"
    assert equal["rewards"] == pytest.approx([0.1] * 3)
    assert equal["details"]["weights"] == [1.0] * 3


@settings(max_examples=40, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=6), st.floats(-100, 100))
def test_the_released_rule_ignores_a_common_shift(call: Any, margins: list[float], shift: float) -> None:
    plain, moved = call(BATCH, {"margins": margins}, {"margins": [m + shift for m in margins]})
    assert moved["rewards"] == pytest.approx(plain["rewards"], abs=1e-6)
