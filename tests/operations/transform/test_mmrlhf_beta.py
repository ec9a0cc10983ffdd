"""transform/mmrlhf_beta and transform/mmrlhf_batch (2502.10391)."""

import math
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


def test_the_released_rule_has_one_strength_for_a_batch(call: Any) -> None:
    (result,) = call(BATCH, {"margins": [0, 1, 2], "sampled": [1, 2]})
    assert result["rewards"] == pytest.approx([0.105] * 3)
    assert result["details"]["sampled"] == [1, 2]
    assert result["details"]["weights"] == pytest.approx([0.60653, 1.0, 0.60653], abs=1e-5)


def test_the_released_rule_draws_four_fifths_by_their_weights_and_the_same_for_a_seed(call: Any) -> None:
    batch = {"margins": [1.0, 2.0, 3.0, 4.0, 50.0]}
    drawn = [call(BATCH, batch, seed=seed)[0] for seed in range(200)]
    assert all(len(set(result["details"]["sampled"])) == 4 for result in drawn)
    assert call(BATCH, batch, seed=7) == call(BATCH, batch, seed=7)
    for result in drawn:
        mean = sum(batch["margins"][i] for i in result["details"]["sampled"]) / 4
        assert result["rewards"] == pytest.approx([max(1e-3, 0.1 * (1 + 0.1 * (mean - 12.0)))] * 5)
    outlier = sum(4 in result["details"]["sampled"] for result in drawn)
    nearest = sum(3 in result["details"]["sampled"] for result in drawn)
    assert outlier < nearest
    assert len(call(BATCH, batch, keep=0.4)[0]["details"]["sampled"]) == 2
    assert call(BATCH, {"margins": [3.0]})[0]["details"] == {"sampled": [0], "weights": [1.0]}


def test_a_draw_has_the_chances_of_drawing_one_after_another(call: Any) -> None:
    # Of weights [w, 1, w] two are drawn: the first is left out by (1, 2) or (2, 1).
    w = math.exp(-0.5)
    chance = 1 / (1 + 2 * w) * w / (2 * w) + w / (1 + 2 * w) * 1 / (1 + w)
    drawn = [call(BATCH, {"margins": [0, 1, 2]}, seed=seed)[0]["details"]["sampled"] for seed in range(3000)]
    assert sum(sampled == [1, 2] for sampled in drawn) / 3000 == pytest.approx(chance, abs=0.03)


@pytest.mark.parametrize("sampled", [[], [0, 0], [-1], [3]])
def test_a_sample_that_is_none_of_the_batch_is_the_items_error(call: Any, sampled: list[int]) -> None:
    bad, fine = call(BATCH, {"margins": [0, 1, 2], "sampled": sampled}, {"margins": [0, 1, 2]})
    assert bad["error"]["param"] == "sampled"
    assert fine["error"] is None


def test_the_released_rule_never_goes_below_its_floor_and_needs_a_batch(call: Any) -> None:
    wide, empty, equal = call(BATCH, {"margins": [-1e4, 1e4], "sampled": [0]}, {"margins": []}, {"margins": [0.1] * 3})
    assert wide["rewards"] == [1e-3] * 2
    assert empty["error"]["code"] == "invalid_field"
    assert equal["rewards"] == pytest.approx([0.1] * 3)
    assert equal["details"]["weights"] == [1.0] * 3


@settings(max_examples=40, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=6), st.floats(-100, 100))
def test_the_released_rule_ignores_a_common_shift(call: Any, margins: list[float], shift: float) -> None:
    plain, moved = call(BATCH, {"margins": margins}, {"margins": [m + shift for m in margins]})
    assert moved["rewards"] == pytest.approx(plain["rewards"], abs=1e-6)
