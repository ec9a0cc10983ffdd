"""audit/peer_review (2505.10597)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "audit/peer_review"
MARGINS = [2, -0.5, 0.1, 1, -2]


def pairs(a: list[float], b: list[float]) -> dict[str, Any]:
    return {"pairs": [{"margin_a": x, "margin_b": y} for x, y in zip(a, b, strict=True)]}


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, pairs(MARGINS, [1.0] * 5), noise_rate=0.4)
    details = result["details"]
    assert details["loss_a"] == pytest.approx([0.1269, 0.9741, 0.6444, 0.3133, 2.1269], abs=1e-4)
    assert details["keep_for_b"] == [0, 3, 2]
    assert details["keep_for_a"] == [0, 1, 2]
    assert details["disagree"] == [1, 4]


def test_no_noise_keeps_all_and_much_keeps_one(call: Any) -> None:
    assert len(call(OP, pairs(MARGINS, MARGINS), noise_rate=0)[0]["details"]["keep_for_a"]) == 5
    assert call(OP, pairs(MARGINS, MARGINS), noise_rate=0.99)[0]["details"]["keep_for_a"] == [0]
    assert call(OP, pairs([], []))[0]["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=10), st.integers(0, 9))
def test_the_kept_have_the_smallest_losses(call: Any, margins: list[float], tenths: int) -> None:
    (result,) = call(OP, pairs(margins, margins), noise_rate=tenths / 10)
    kept = result["details"]["keep_for_a"]
    assert len(kept) == max(1, (10 - tenths) * len(margins) // 10)
    assert sorted((margins[i] for i in kept), reverse=True) == sorted(margins, reverse=True)[: len(kept)]
