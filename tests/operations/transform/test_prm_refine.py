"""transform/prm_refine."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "transform/prm_refine"
STEPS = [0.9, 0.9, 0.2, 0.8]
steps = st.lists(st.floats(-1e4, 1e4), max_size=7)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("clip", [0, 0, -0.5, 0]), ("delta", [0, 0.7, 0.2, 0]), ("clip_delta", [0, 0.5, -0.5, 0])],
)
def test_the_three_modes(call: Any, mode: str, expected: list[float]) -> None:
    [result] = call(PATH, {"step_rewards": STEPS}, mode=mode, eta=0.7)
    assert result["rewards"] == pytest.approx(expected)


def test_the_threshold_is_the_mean_of_the_batch_by_default(call: Any) -> None:
    one, other = call(PATH, {"step_rewards": STEPS[:1]}, {"step_rewards": STEPS[1:]}, mode="clip")
    assert one["details"]["eta"] == other["details"]["eta"] == pytest.approx(0.7)
    assert other["rewards"] == pytest.approx([0, -0.5, 0])


def test_process_and_correctness_add_up(call: Any) -> None:
    right, wrong, unknown = call(
        PATH,
        {"step_rewards": STEPS, "correct": 1},
        {"step_rewards": STEPS, "correct": False},
        {"step_rewards": STEPS},
        mode="delta",
    )
    assert right["reward"] == pytest.approx(0.02 * 0.9 + 1)
    assert wrong["reward"] == pytest.approx(0.02 * 0.9)
    assert unknown["reward"] is None
    assert unknown["rewards"] == right["rewards"]


@pytest.mark.parametrize(("given_", "expected"), [([], []), ([0.4], [0.0]), ([0.4, 0.9], [0.4, 0.0])])
def test_short_answers(call: Any, given_: list[float], expected: list[float]) -> None:
    [result] = call(PATH, {"step_rewards": given_, "correct": 1}, mode="delta")
    assert result["rewards"] == expected
    assert result["reward"] == pytest.approx(1 + 0.02 * sum(expected))


@given(steps)
@settings(max_examples=50, deadline=None)
def test_the_return_from_a_step_under_delta_is_its_reward(call: Any, given_: list[float]) -> None:
    [result] = call(PATH, {"step_rewards": given_}, mode="delta")
    returns = np.cumsum(result["rewards"][::-1])[::-1]
    assert returns[:-1] == pytest.approx(np.array(given_[:-1]), abs=1e-6)
    assert result["rewards"][-1:] in ([], [0.0])


@given(steps, st.floats(-1e4, 1e4))
@settings(max_examples=50, deadline=None)
def test_clipped_returns_never_pay(call: Any, given_: list[float], eta: float) -> None:
    [clipped], [both] = (call(PATH, {"step_rewards": given_}, mode=mode, eta=eta) for mode in ("clip", "clip_delta"))
    assert all(reward <= 0 for reward in clipped["rewards"])
    assert sum(both["rewards"]) <= 1e-6
    if len(given_) > 1:
        assert sum(both["rewards"]) == pytest.approx(clipped["rewards"][0], abs=1e-6)


@given(st.lists(steps, min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_with_a_fixed_threshold_a_batch_equals_its_items(call: Any, batch: list[list[float]]) -> None:
    items = [{"step_rewards": given_, "correct": 1} for given_ in batch]
    together = call(PATH, *items, eta=0.5)
    for result, one in zip(together, items, strict=True):
        [alone] = call(PATH, one, eta=0.5)
        assert result["rewards"] == alone["rewards"]
        assert result["reward"] == pytest.approx(alone["reward"])
