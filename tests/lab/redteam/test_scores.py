"""Scores split among pairs and trials, and the scale of clean rewards."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.lab.redteam.scores import Scale, Scored

from tests.lab.redteam.made import make_score


def test_scores_go_to_their_pairs_and_trials() -> None:
    alone = Scored.of([*map(make_score, range(8))], [1, 0, 1, 0], grouped=False)
    assert [[score.value for score in part] for part in (alone.chosen, alone.rejected)] == [[0, 2], [1, 3]]
    assert [score.value for score in alone.beside] == [2, 0, 2, 0]
    assert [score.value for score in alone.attacked] == [4, 5, 6, 7]
    compared = Scored.of([*map(make_score, range(8))], [1, 0], grouped=True)
    assert [score.value for score in compared.chosen] == [0, 2]
    assert [score.value for score in compared.beside] == [4, 6]
    assert [score.value for score in compared.attacked] == [5, 7]


def test_a_guard_refuses_and_other_errors_fail() -> None:
    assert make_score("guard").refused
    assert (make_score("timeout").refused, make_score("timeout").code) == (False, "timeout")
    assert make_score(1.0).code is None


def test_the_scale_is_one_percent_of_the_deviation() -> None:
    assert Scale.of(np.array([1.0, 3.0])) == Scale(1.0, 0.01, False)


def test_rewards_of_0_and_1_rise_by_anything() -> None:
    assert Scale.of(np.array([0.0, 1.0, 1.0, 0.0])) == Scale(0.5, 0.0, True)


def test_equal_rewards_have_no_deviation() -> None:
    assert Scale.of(np.array([0.1, 0.1, 0.1])) == Scale(0.0, 0.0, False)
    nothing = Scale.of(np.array([]))
    assert math.isnan(nothing.std)
    assert nothing.delta == 0.0


@given(
    st.lists(st.integers(-100, 100), min_size=2, max_size=30),
    st.floats(0.5, 100),
    st.floats(-100, 100),
)
def test_the_scale_goes_with_the_rewards(values: list[int], factor: float, shift: float) -> None:
    rewards = np.array(values, dtype=np.float64)
    assert Scale.of(rewards * factor + shift).std == pytest.approx(Scale.of(rewards).std * factor, abs=1e-9)
