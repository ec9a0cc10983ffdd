"""credit/potential_shaping (2503.21949)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "credit/potential_shaping"
NUMBERS = st.floats(-1e4, 1e4)


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"rewards": [0, 0, 1], "potentials": [0.81, 0.9, 1, 0]}, gamma=0.9)
    assert result["rewards"] == pytest.approx([0, 0, 0], abs=1e-12)
    (loop,) = call(OP, {"rewards": [0], "potentials": [0.81, 0.81]}, gamma=0.9)
    assert loop["rewards"] == pytest.approx([-0.081])


def test_done_takes_the_last_potential_as_zero(call: Any) -> None:
    cut, done = call(OP, {"rewards": [1], "potentials": [2, 5]}, {"rewards": [1], "potentials": [2, 5], "done": True})
    assert cut["rewards"] == [4]
    assert done["rewards"] == [-1]


def test_there_is_one_more_potential_than_rewards(call: Any) -> None:
    short, empty = call(OP, {"rewards": [1, 2], "potentials": [1, 2]}, {"rewards": [], "potentials": [3.0]})
    assert short["error"]["code"] == "invalid_field"
    assert empty["rewards"] == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=8), NUMBERS, st.floats(0, 1))
def test_it_telescopes(call: Any, steps: list[tuple[float, float]], last: float, gamma: float) -> None:
    rewards, potentials = [r for r, _ in steps], [*(phi for _, phi in steps), last]
    (result,) = call(OP, {"rewards": rewards, "potentials": potentials}, gamma=gamma)
    discounts = [gamma**t for t in range(len(rewards) + 1)]
    shaped = sum(d * r for d, r in zip(discounts, result["rewards"], strict=False))
    plain = sum(d * r for d, r in zip(discounts, rewards, strict=False))
    assert shaped == pytest.approx(plain + discounts[-1] * last - potentials[0], abs=1e-6)
