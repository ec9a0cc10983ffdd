"""credit/oprl."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "credit/oprl"
numbers = st.floats(-1e4, 1e4)


def trajectory(outcome: float, *rewards: float, beta: float = 0.05) -> dict[str, Any]:
    return {"outcome": outcome, "logp_prm": [reward / beta for reward in rewards], "logp_old": [0.0] * len(rewards)}


def test_step_rewards_are_scaled_log_ratios(call: Any) -> None:
    item = {"trajectories": [{"outcome": 1, "logp_prm": [-1.0, -2.0], "logp_old": [-1.4, -1.8]}]}
    [result] = call(PATH, item)
    assert result["rewards"][0] == pytest.approx([0.02, -0.01])


def test_advantages_of_episode_and_step_add_up(call: Any) -> None:
    [result] = call(PATH, {"trajectories": [trajectory(1, 0.02, -0.01), trajectory(0, 0.0, -0.03)]})
    first, second = result["details"]["advantage"]
    assert [*first, *second] == pytest.approx([2.387, 0.723, -0.723, -2.387], abs=5e-4)
    assert result["details"]["episode_advantage"] == pytest.approx([1.0, -1.0])
    assert result["details"]["prm_loss"] == pytest.approx(np.log1p(np.exp(-0.04)))


@pytest.mark.parametrize(
    ("estimator", "first", "second"),
    [
        ("rloo", [1.02, 0.96], [-1.02, -1.08]),
        ("grpo_mean", [0.51, 0.48], [-0.51, -0.54]),
        ("grpo_std", [1.41416, -0.70701], [-1.41416, -3.53533]),
    ],
)
def test_the_authors_estimators_compare_steps_with_one_of_each_trajectory(
    call: Any, estimator: str, first: list[float], second: list[float]
) -> None:
    item = {"trajectories": [trajectory(1, 0.02, -0.01), trajectory(0, 0.0, -0.03)]}
    [result] = call(PATH, item, estimator=estimator)
    assert result["details"]["advantage"][0] == pytest.approx(first, abs=1e-5)
    assert result["details"]["advantage"][1] == pytest.approx(second, abs=1e-5)
    assert result["rewards"][0] == pytest.approx([0.02, -0.01])


def test_leave_one_out_is_the_outcome_less_the_mean_of_the_others(call: Any) -> None:
    item = {"trajectories": [trajectory(outcome, 0.0) for outcome in (1, 0, 0.5)] + [trajectory(0.5)]}
    [result] = call(PATH, item, estimator="rloo")
    assert result["details"]["episode_advantage"] == pytest.approx([1 - 1 / 3, -2 / 3, 0.0, 0.0])
    assert result["details"]["advantage"] == [[pytest.approx(1 - 1 / 3)], [pytest.approx(-2 / 3)], [0.0], []]


@pytest.mark.parametrize("estimator", ["rloo", "grpo_mean", "grpo_std"])
def test_of_the_authors_estimators_one_trajectory_has_nothing_to_be_compared_with(call: Any, estimator: str) -> None:
    alone, equal, none = call(
        PATH,
        {"trajectories": [trajectory(1, 0.1, -0.1)]},
        {"trajectories": [trajectory(1, 0.1), trajectory(1, 0.1)]},
        {"trajectories": []},
        estimator=estimator,
    )
    assert alone["details"]["advantage"] == [[0.0, 0.0]]
    assert equal["details"]["advantage"] == [[0.0], [0.0]]
    assert none["details"]["advantage"] == []


def test_equal_first_steps_give_no_scale_to_the_others(call: Any) -> None:
    [result] = call(PATH, {"trajectories": [trajectory(1, 0.1, 0.4), trajectory(1, 0.1)]}, estimator="grpo_std")
    assert result["details"]["advantage"] == [[0.0, 0.0], [0.0]]


def test_alpha_weighs_the_step_level(call: Any) -> None:
    [result] = call(PATH, {"trajectories": [trajectory(1, 0.02), trajectory(0, -0.02)]}, alpha=0.0)
    assert result["details"]["advantage"] == [[1.0], [-1.0]]


def test_a_group_of_one_has_no_episode_advantage_and_no_pair(call: Any) -> None:
    [result] = call(PATH, {"trajectories": [trajectory(1, 0.1, -0.1)]})
    assert result["details"]["episode_advantage"] == [0.0]
    assert result["details"]["advantage"][0] == pytest.approx([1.0, -1.0])
    assert result["details"]["prm_loss"] is None


def test_equal_steps_carry_no_signal_whatever_their_rounding(call: Any) -> None:
    steps = {"logp_prm": [-1.0, -2.0, -3.3], "logp_old": [-1.4, -2.4, -3.7]}
    [result] = call(PATH, {"trajectories": [{"outcome": 1, **steps}, {"outcome": 1, **steps}]})
    assert result["details"]["advantage"] == [[0.0] * 3] * 2


def test_empty_groups_and_trajectories_without_steps_are_answered(call: Any) -> None:
    none, stepless = call(PATH, {"trajectories": []}, {"trajectories": [trajectory(1), trajectory(0, 0.5)]})
    assert none["rewards"] == []
    assert stepless["rewards"] == [[], [0.5]]
    assert stepless["details"]["advantage"] == [[], [-1.0]]


def test_unequal_lists_are_the_items_error(call: Any) -> None:
    bad, fine = call(
        PATH,
        {"trajectories": [{"outcome": 1, "logp_prm": [0.0], "logp_old": []}]},
        {"trajectories": [trajectory(1, 0.1)]},
    )
    assert "trajectories[0]" in bad["error"]["message"]
    assert fine["error"] is None


groups = st.lists(st.tuples(numbers, st.lists(st.tuples(numbers, numbers), max_size=4)), min_size=1, max_size=5)


@given(groups)
@settings(max_examples=50, deadline=None)
def test_advantages_are_finite_centred_and_blind_to_a_shift_of_outcomes(call: Any, group: list[Any]) -> None:
    def item(shift: float) -> dict[str, Any]:
        return {
            "trajectories": [
                {"outcome": o + shift, "logp_prm": [a for a, _ in steps], "logp_old": [b for _, b in steps]}
                for o, steps in group
            ]
        }

    one, other = call(PATH, item(0.0), item(64.0))
    assert sum(one["details"]["episode_advantage"]) == pytest.approx(0.0, abs=1e-9)
    flat = [value for values in one["details"]["advantage"] for value in values]
    assert np.isfinite(flat).all()
    assert one["details"]["prm_loss"] is None or np.isfinite(one["details"]["prm_loss"])
    spread = max(o for o, _ in group) - min(o for o, _ in group)
    if spread > 1e-3:
        assert one["details"]["episode_advantage"] == pytest.approx(other["details"]["episode_advantage"], abs=1e-6)
