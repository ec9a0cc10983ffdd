"""audit/preference_strength and audit/preference_loss (2401.06080, 2508.05613)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP, LOSS = "audit/preference_strength", "audit/preference_loss"
NUMBERS = st.floats(-1e4, 1e4)


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"pairs": [{"gaps": [0.5, -0.2, 0.9], "margin": 0.7}]})
    details = result["details"]
    assert result["rewards"] == pytest.approx([0.4])
    assert details["std"] == pytest.approx([0.4546], abs=1e-4)
    assert details["margin_loss"] == pytest.approx([0.5544], abs=1e-4)
    assert details["smoothed_loss"] == pytest.approx([0.4732], abs=1e-4)


def test_the_weakest_fifth_is_flipped_and_the_next_softened(call: Any) -> None:
    pairs = [{"gaps": [float(g)]} for g in (3, -2, 0.1, 5, 4, 1, 0, 2, -1, 6)]
    (result,) = call(OP, {"pairs": pairs})
    actions = result["details"]["action"]
    assert [i for i, a in enumerate(actions) if a == "flip"] == [1, 8]
    assert [i for i, a in enumerate(actions) if a == "soft"] == [2, 6]
    assert result["details"]["std"] == [None] * 10


def test_no_pairs_and_no_gaps_are_errors(call: Any) -> None:
    for broken in call(OP, {"pairs": []}, {"pairs": [{"gaps": []}]}):
        assert broken["error"]["code"] == "invalid_field"


def test_the_losses_of_pairs(call: Any) -> None:
    pair = {"chosen": 1.3, "rejected": -0.4}
    assert call(LOSS, {"pairs": [pair]})[0]["reward"] == pytest.approx(0.16779, abs=1e-5)
    weak = {"chosen": 0.7, "rejected": 0.0, "strength": 0.4}
    assert call(LOSS, {"pairs": [weak]}, kind="margin")[0]["reward"] == pytest.approx(0.5544, abs=1e-4)
    assert call(LOSS, {"pairs": [weak]}, kind="smoothed")[0]["reward"] == pytest.approx(0.4732, abs=1e-4)


def test_masked_pairs_count_nothing(call: Any) -> None:
    pair = {"chosen": 1.3, "rejected": -0.4}
    some, none, empty = call(
        LOSS,
        {"pairs": [pair, {**pair, "chosen": -99.0, "mask": 0}]},
        {"pairs": [{**pair, "mask": False}]},
        {"pairs": []},
    )
    assert some["reward"] == pytest.approx(0.16779, abs=1e-5)
    assert none["reward"] == 0
    assert empty["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_losses_are_finite_positive_and_free_of_a_shift(call: Any, a: float, b: float, shift: float) -> None:
    for kind in ("bradley_terry", "smoothed", "margin"):
        plain, moved = call(
            LOSS,
            {"pairs": [{"chosen": a, "rejected": b}]},
            {"pairs": [{"chosen": a + shift, "rejected": b + shift}]},
            kind=kind,
        )
        assert 0 <= plain["reward"] < math.inf
        assert moved["reward"] == pytest.approx(plain["reward"], abs=1e-6)
