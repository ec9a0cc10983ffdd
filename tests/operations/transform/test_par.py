"""transform/par (2502.18770)."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "transform/par"
ITEM = {"reward": 1.2, "reference_rewards": [0.5, 1, 2]}
NUMBERS = st.floats(-1e4, 1e4)
RELATIVE = ["par", "centered", "sgfc_relative", "tanh", "arctan", "polynomial", "lsc"]


def shaped(call: Any, item: dict[str, Any], shape: str, **params: Any) -> float:
    (result,) = call(OP, item, shape=shape, **params)
    assert result["error"] is None
    return float(result["reward"])


def test_the_worked_examples(call: Any) -> None:
    assert call(OP, ITEM)[0]["reward"] == pytest.approx(0.50935, abs=1e-5)
    assert shaped(call, ITEM, "centered") == pytest.approx(0.03333, abs=1e-5)
    assert shaped(call, ITEM, "lsc") == pytest.approx(-1.14249, abs=1e-5)
    (long,) = call(OP, {**ITEM, "length": 350})
    assert long["details"]["penalised"] == pytest.approx(0.7)
    assert shaped(call, {**ITEM, "length": 350}, "centered") == pytest.approx(0.03333 - 0.5, abs=1e-5)


def test_the_other_shapes(call: Any) -> None:
    gaps = [0.7, 0.2, -0.8]
    assert shaped(call, ITEM, "tanh") == pytest.approx(np.mean(np.tanh(gaps)))
    assert shaped(call, ITEM, "arctan") == pytest.approx(np.mean(np.arctan(gaps)))
    assert shaped(call, ITEM, "sgfc") == pytest.approx(1 / (1 + math.exp(1.8)))
    assert shaped(call, ITEM, "sgfc_relative") == pytest.approx(np.mean([1 / (1 + math.exp(3 - g)) for g in gaps]))
    assert shaped(call, {"reward": 3.5}, "ceil", ceiling=2.0) == 2.0
    assert shaped(call, {"reward": 1.5}, "ceil", ceiling=2.0) == 1.5
    assert shaped(call, ITEM, "par", k=2.0) == pytest.approx(np.mean([1 / (1 + math.exp(-2 * g)) for g in gaps]))


def test_the_polynomial_follows_the_sigmoid_and_saturates_outside_five(call: Any) -> None:
    for gap in np.linspace(-4.9, 4.9, 9):
        value = shaped(call, {"reward": float(gap), "reference_rewards": [0.0]}, "polynomial")
        assert value == pytest.approx(1 / (1 + math.exp(-gap)), abs=0.025)
    assert shaped(call, {"reward": 5.0, "reference_rewards": [0.0]}, "polynomial") == 1.0
    assert shaped(call, {"reward": -5.0, "reference_rewards": [0.0]}, "polynomial") == 0.0


def test_only_the_first_ten_references_count(call: Any) -> None:
    ten = {"reward": 1.0, "reference_rewards": [0.0] * 10}
    eleven = {"reward": 1.0, "reference_rewards": [0.0] * 10 + [9.0]}
    assert call(OP, ten)[0]["reward"] == call(OP, eleven)[0]["reward"]
    assert call(OP, eleven, max_references=11)[0]["reward"] != call(OP, ten)[0]["reward"]


@pytest.mark.parametrize("shape", RELATIVE)
def test_no_references_is_the_items_error_never_a_fallback(call: Any, shape: str) -> None:
    none, empty, fine = call(OP, {"reward": 1.0}, {"reward": 1.0, "reference_rewards": []}, ITEM, shape=shape)
    assert none["error"]["code"] == empty["error"]["code"] == "missing_field"
    assert fine["error"] is None


def test_the_ceiling_comes_before_the_cost_of_the_length(call: Any) -> None:
    (result,) = call(OP, {"reward": 50.0, "length": 453.0}, shape="ceil", ceiling=5.0)
    assert result["reward"] == result["details"]["penalised"] == pytest.approx(3.47)


def test_a_ceiling_is_needed_for_ceil(call: Any) -> None:
    from reward_gateway.errors import InvalidRequest

    with pytest.raises(InvalidRequest, match="ceiling"):
        call(OP, ITEM, shape="ceil")


@pytest.mark.parametrize("shape", RELATIVE)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=3)), min_size=1, max_size=3))
def test_finite_bounded_and_the_same_one_by_one(call: Any, shape: str, pairs: list[tuple[float, list[float]]]) -> None:
    bounds = {"par": (0, 1), "sgfc_relative": (0, 1), "tanh": (-1, 1), "polynomial": (-0.02, 1.02)}
    low, high = bounds.get(shape, (-math.inf, math.inf))
    items = [{"reward": reward, "reference_rewards": references} for reward, references in pairs]
    together = call(OP, *items, shape=shape)
    assert together == [call(OP, item, shape=shape)[0] for item in items]
    for result in together:
        assert math.isfinite(result["reward"])
        assert low <= result["reward"] <= high


@settings(max_examples=50, deadline=None)
@given(NUMBERS, NUMBERS)
def test_par_is_a_preference_probability_the_two_sides_sum_to_one(call: Any, a: float, b: float) -> None:
    one, other = call(OP, {"reward": a, "reference_rewards": [b]}, {"reward": b, "reference_rewards": [a]})
    assert one["reward"] + other["reward"] == pytest.approx(1.0)


@settings(max_examples=50, deadline=None)
@given(NUMBERS, NUMBERS, st.lists(NUMBERS, min_size=1, max_size=4), st.permutations(range(4)))
def test_par_rises_with_the_reward_and_ignores_the_order_of_references(
    call: Any, a: float, b: float, references: list[float], order: list[int]
) -> None:
    low, high = sorted((a, b))
    shuffled = [references[i] for i in order if i < len(references)]
    below, above, other = call(
        OP,
        {"reward": low, "reference_rewards": references},
        {"reward": high, "reference_rewards": references},
        {"reward": low, "reference_rewards": shuffled},
    )
    assert below["reward"] <= above["reward"]
    assert other["reward"] == pytest.approx(below["reward"])
