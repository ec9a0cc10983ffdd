"""credit/progress_steps: differences of progress telescope, and the bonus stands on the end of a solved episode."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

OP = "credit/progress_steps"
PROGRESS = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(values=PROGRESS)
def test_the_steps_sum_to_what_the_episode_gained(call: Any, values: list[float]) -> None:
    (result,) = call(OP, {"values": values})
    assert sum(result["rewards"]) == pytest.approx(values[-1] - values[0], abs=1e-9)
    assert result["rewards"][0] == 0


@given(values=PROGRESS, gamma=st.floats(0, 1))
def test_discounted_they_telescope_as_shaping_must(call: Any, values: list[float], gamma: float) -> None:
    (result,) = call(OP, {"values": values}, gamma=gamma)
    total = sum(gamma**t * reward for t, reward in enumerate(result["rewards"][1:]))
    last = len(values) - 1
    assert total == pytest.approx(gamma**last * values[-1] - values[0] if last else 0.0, abs=1e-9)


def test_the_bonus_is_paid_from_the_threshold_on(call: Any) -> None:
    items = [{"values": [0.2, 0.7], "success": success} for success in (0.79, 0.8, True)]
    results = call(OP, *items, threshold=0.8, bonus=2.0, scale=10.0)
    assert [result["rewards"][-1] for result in results] == pytest.approx([5.0, 7.0, 7.0])
    assert [result["details"]["solved"] for result in results] == [False, True, True]


def test_a_bonus_without_a_verdict_and_an_episode_without_frames_are_errors(call: Any) -> None:
    for result in (*call(OP, {"values": [0.1]}, bonus=1.0), *call(OP, {"values": []})):
        assert result["error"]["code"] == "invalid_field"
