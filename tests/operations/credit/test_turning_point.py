"""credit/turning_point."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "credit/turning_point"


def item(rewards: list[float], final: float, group: str | None = None) -> dict[str, Any]:
    return {"step_rewards": rewards, "final": final} | ({} if group is None else {"group": group})


def test_a_turning_point_answers_for_all_that_follows(call: Any) -> None:
    [result] = call(PATH, item([0.50, 0.45, 0.52, 0.60], 0.60))
    assert result["rewards"] == pytest.approx([-0.05, 0.15, 0.08])
    assert result["details"]["turning_points"] == [2]
    assert result["details"]["delta"] == pytest.approx(0.1)


def test_the_first_step_needs_no_trend_to_turn(call: Any) -> None:
    [result] = call(PATH, item([0.5, 0.55, 0.52, 0.6], 0.6))
    assert result["rewards"] == pytest.approx([0.10, -0.03, 0.08])
    assert result["details"]["turning_points"] == [1]


def test_eta_scales_the_turning_points_only(call: Any) -> None:
    assert call(PATH, item([0.50, 0.45, 0.52, 0.60], 0.60), eta=2.0)[0]["rewards"] == pytest.approx([-0.05, 0.3, 0.08])
    assert call(PATH, item([0.50, 0.45, 0.52, 0.60], 0.60), eta=0.0)[0]["rewards"] == pytest.approx([-0.05, 0.0, 0.08])


def test_without_an_overall_trend_nothing_turns(call: Any) -> None:
    [result] = call(PATH, item([0.5, 0.4, 0.45, 0.6], 0.5))
    assert result["details"]["turning_points"] == []
    assert result["rewards"] == pytest.approx([-0.1, 0.05, 0.15])


def test_the_last_step_cannot_turn_if_it_ends_where_the_roll_out_does(call: Any) -> None:
    [result] = call(PATH, item([0.5, 0.4, 0.6], 0.6))
    assert result["details"]["turning_points"] == []


def test_the_deterministic_roll_out_alone_has_no_steps_and_none_at_all_is_an_error(call: Any) -> None:
    alone, nothing = call(PATH, item([0.5], 0.6), item([], 0.6))
    assert alone["rewards"] == []
    assert nothing["error"]["code"] == "invalid_field"


UP_SMALL, UP_LARGE = item([0.0, 0.1, 0.05], 0.2), item([0.0, 0.3, 0.2], 0.9)
DOWN = item([0.0, -0.1, -0.05], -0.4)


def test_balanced_keeps_as_many_of_either_sign_by_their_size(call: Any) -> None:
    small, large, down = call(PATH, UP_SMALL, UP_LARGE, DOWN, balanced=True)
    assert small["details"]["turning_points"] == []
    assert small["rewards"] == pytest.approx([0.1, -0.05])
    assert large["details"]["turning_points"] == down["details"]["turning_points"] == [1]
    assert large["rewards"] == pytest.approx([0.9, -0.1])


def test_balance_is_skipped_where_one_sign_is_absent(call: Any) -> None:
    results = call(PATH, UP_SMALL, UP_LARGE, balanced=True)
    assert [result["details"]["turning_points"] for result in results] == [[1], [1]]


def test_advantages_compare_one_step_within_one_prompt(call: Any) -> None:
    items = [item([0, 1, 1], 1, "p"), item([0, 3, 3], 3, "p"), item([0, 7, 1], 1, "q"), item([0, 2], 2, "p")]
    results = call(PATH, *items)
    first = (np.array([1.0, 3.0, 2.0]) - 2.0) / np.std([1.0, 3.0, 2.0])
    assert [results[i]["details"]["advantage"][0] for i in (0, 1, 3)] == pytest.approx(first)
    assert results[2]["details"]["advantage"] == [0.0, 0.0]
    assert [results[i]["details"]["advantage"][1] for i in (0, 1)] == [0.0, 0.0]


def sign(x: float) -> int:
    return (x > 0) - (x < 0)


def reference(rewards: list[float], final: float) -> list[float]:
    """The definition, step by step."""
    d = [b - a for a, b in pairwise(rewards)]
    whole = sign(final - rewards[0])
    answers = []
    for t in range(1, len(rewards)):
        ahead = sign(d[t - 1]) * sign(final - rewards[t]) > 0
        turns = ahead if t == 1 else ahead and sign(d[t - 2]) * whole < 0 and sign(d[t - 1]) * whole > 0
        answers.append(final - rewards[t - 1] if turns else d[t - 1])
    return answers


rollouts = st.tuples(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6), st.floats(-1e4, 1e4))


@given(st.lists(rollouts, min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_batch_of_any_lengths_equals_the_definition_one_by_one(call: Any, batch: list[Any]) -> None:
    results = call(PATH, *(item(rewards, final) for rewards, final in batch))
    for (rewards, final), result in zip(batch, results, strict=True):
        assert result["rewards"] == pytest.approx(reference(rewards, final))
        assert np.isfinite(result["details"]["advantage"]).all()
        if not result["details"]["turning_points"]:
            assert sum(result["rewards"]) == pytest.approx(rewards[-1] - rewards[0], abs=1e-6)


@given(st.lists(rollouts, min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_balance_leaves_equal_numbers_or_all_of_one_sign(call: Any, batch: list[Any]) -> None:
    results = call(PATH, *(item(rewards, final) for rewards, final in batch), balanced=True)
    before = call(PATH, *(item(rewards, final) for rewards, final in batch))
    count = {1: 0, -1: 0}
    for result in results:
        count[1 if result["details"]["delta"] > 0 else -1] += len(result["details"]["turning_points"])
    if count[1] and count[-1]:
        assert count[1] == count[-1]
    else:
        assert results == before
