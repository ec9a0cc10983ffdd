"""Numerics that several families share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.groups import Groups
from reward_gateway.operations.numerics import cosine, return_to_go, softplus, standardized, standardized_within
from reward_gateway.operations.outcome import ItemError

numbers = st.lists(st.floats(-1e4, 1e4), max_size=8)


@given(numbers)
@settings(max_examples=100)
def test_standard_scores_have_mean_0_and_std_1_or_are_all_0(values: list[float]) -> None:
    scores = standardized(np.array(values))
    assert np.isfinite(scores).all()
    if scores.any():
        assert scores.mean() == pytest.approx(0.0, abs=1e-9)
        assert scores.std() == pytest.approx(1.0)


@pytest.mark.parametrize("values", [[], [3.0], [0.1] * 3, [0.3 - 0.2, 0.5 - 0.4, 0.1], [1e4, 1e4 + 1e-9]])
def test_equal_values_have_no_score_whatever_their_rounding(values: list[float]) -> None:
    assert not standardized(np.array(values)).any()
    assert not standardized_within(np.array(values), Groups.one(len(values))).any()


@pytest.mark.parametrize("values", [[1e300, -1e300], [5e-5, 0.0], [1e308, 0.0, -1e308]])
def test_scores_survive_any_scale(values: list[float]) -> None:
    assert np.isfinite(standardized(np.array(values))).all()


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.sampled_from("abc")), min_size=1, max_size=10))
@settings(max_examples=100)
def test_groups_together_equal_groups_apart(rows: list[tuple[float, str]]) -> None:
    values, names = np.array([value for value, _ in rows]), [name for _, name in rows]
    together = standardized_within(values, Groups.of(names))
    for name in set(names):
        mask = np.array([other == name for other in names])
        assert together[mask] == pytest.approx(standardized(values[mask]), abs=1e-6)


@given(numbers, st.floats(0, 1))
@settings(max_examples=50)
def test_a_return_is_its_reward_and_the_discounted_next(values: list[float], gamma: float) -> None:
    rewards = np.array(values)
    returns = np.append(return_to_go(rewards, gamma), 0.0)
    assert returns[:-1] == pytest.approx(rewards + gamma * returns[1:], abs=1e-6)


@pytest.mark.parametrize("x", [-1e4, -1.0, 0.0, 1.0, 1e4])
def test_softplus_is_stable(x: float) -> None:
    assert softplus(x) - softplus(-x) == pytest.approx(x)


def test_a_cosine_is_bounded_even_for_huge_vectors() -> None:
    assert cosine([1e300, 1e300], [1e300, 1e300], ("a", "b")) == pytest.approx(1.0)
    assert cosine([1e-300], [-1e-300], ("a", "b")) == -1.0
    with pytest.raises(ItemError, match="length 0"):
        cosine([0.0], [1.0], ("a", "b"))
    with pytest.raises(ItemError, match="agree"):
        cosine([1.0], [1.0, 2.0], ("a", "b"))
