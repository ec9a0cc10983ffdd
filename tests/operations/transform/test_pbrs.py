"""transform/pbrs: potential-based shaping of one transition."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "transform/pbrs"
ITEM = {"reward": 1, "phi_s": 1.5, "phi_next": 2, "done": False}


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, ITEM, gamma=0.9)
    assert result["reward"] == pytest.approx(1.3)
    assert result["details"]["shaping"] == pytest.approx(0.3)


def test_a_terminal_state_has_potential_zero(call: Any) -> None:
    with_next, without = call(OP, {**ITEM, "done": True}, {"reward": 1, "phi_s": 1.5, "done": True}, gamma=0.9)
    assert with_next["reward"] == without["reward"] == pytest.approx(-0.5)


def test_the_done_flag_is_needed_and_so_is_the_next_potential(call: Any) -> None:
    flagless, open_end = call(OP, {"reward": 1, "phi_s": 1.5, "phi_next": 2}, {"reward": 1, "phi_s": 1, "done": False})
    assert flagless["error"]["param"] == "done"
    assert open_end["error"]["param"] == "phi_next"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6), st.floats(0, 1))
def test_a_closed_cycle_gains_nothing_undiscounted(call: Any, potentials: list[float], reward: float) -> None:
    cycle = [*potentials, potentials[0]]
    items = [{"reward": reward, "phi_s": a, "phi_next": b, "done": False} for a, b in pairwise(cycle)]
    total = sum(result["reward"] for result in call(OP, *items))
    assert total == pytest.approx(reward * len(items), abs=1e-6)
