"""audit/perceptual_fit (1612.06699)."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.audit.perceptual_fit import feature_score, split_costs

OP = "audit/perceptual_fit"
DEMO = [[0.0, 5.0], [0.1, 5.0], [3.0, 5.0], [3.1, 5.0], [9.0, 5.0], [9.1, 5.0]]


def test_the_feature_score_of_the_worked_example() -> None:
    inside, outside = np.array([[0.9], [1.1]]), np.array([[-0.1], [0.5]])  # means 1.0 and .2, stds .1 and .3
    assert feature_score(inside, outside, 5.0)[0] == pytest.approx(3.6)


def test_a_cut_costs_the_spread_of_both_sides() -> None:
    frames = np.array([[0.0], [2.0], [7.0]])
    expected = [2 * np.std([2.0, 7.0]), 2 * np.std([0.0, 2.0])]
    assert split_costs(frames) == pytest.approx(expected)


def test_the_steps_of_demonstrations_are_found_and_feed_the_score(call: Any) -> None:
    (result,) = call(OP, {"demos": [DEMO, DEMO[:5]]}, top=1)
    assert result["details"]["boundaries"] == [[0, 2, 4], [0, 2, 4]]
    assert result["details"]["features"] == [0]
    steps = result["details"]["steps"]
    assert [step["mean"][0] for step in steps] == pytest.approx([0.05, 3.05, 9.0333], abs=1e-4)
    late, early = call(
        "score/perceptual_step", {"features": [9.05], "steps": steps}, {"features": [3.05], "steps": steps}
    )
    assert late["reward"] < 0
    assert early["reward"] < late["reward"]


def test_one_step_has_nothing_to_tell_apart(call: Any) -> None:
    (result,) = call(OP, {"demos": [DEMO]}, steps=1)
    assert result["reward"] == 0
    assert result["details"]["features"] == [0, 1]


def test_constant_and_large_frames_stay_finite(call: Any) -> None:
    constant, large = call(OP, {"demos": [[[1e4]] * 4]}, {"demos": [[[-1e4], [1e4], [-1e4], [1e4]]]})
    assert np.isfinite(constant["reward"])
    assert np.isfinite(large["reward"])


def test_too_few_frames_and_ragged_frames_are_errors(call: Any) -> None:
    for broken in call(
        OP, {"demos": []}, {"demos": [[[1.0], [2.0]]]}, {"demos": [[[1.0], [1.0, 2.0]]]}, {"demos": [[]]}
    ):
        assert broken["error"]["code"] == "invalid_field"
