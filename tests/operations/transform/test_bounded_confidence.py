"""transform/bounded_confidence."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "transform/bounded_confidence"
numbers = st.floats(-1e4, 1e4)


def test_only_ratings_within_the_radius_count(call: Any) -> None:
    [result] = call(PATH, {"reward": 0.6, "friends": [0.65, 0.9]})
    assert result["reward"] == pytest.approx(0.625)
    assert result["details"]["neighbours"] == 1


def test_without_a_near_rating_nothing_moves(call: Any) -> None:
    far, none = call(PATH, {"reward": 0.6, "friends": [0.9]}, {"reward": 0.6, "friends": []})
    assert far["reward"] == none["reward"] == 0.6


def test_a_rating_at_the_very_edge_counts(call: Any) -> None:
    [result] = call(PATH, {"reward": 0.6, "friends": [0.8]})
    assert result["reward"] == pytest.approx(0.7)


def test_mu_and_epsilon_are_the_callers(call: Any) -> None:
    [result] = call(PATH, {"reward": 0.0, "friends": [1.0, 3.0]}, mu=1.0, epsilon=10.0)
    assert result["reward"] == pytest.approx(2.0)


@given(numbers, st.lists(numbers, max_size=6), st.floats(0, 1), st.floats(0, 1e4))
@settings(max_examples=50, deadline=None)
def test_stays_among_the_ratings(call: Any, x: float, friends: list[float], mu: float, epsilon: float) -> None:
    [result] = call(PATH, {"reward": x, "friends": friends}, mu=mu, epsilon=epsilon)
    low, high = min([x, *friends]), max([x, *friends])
    assert low - 1e-9 <= result["reward"] <= high + 1e-9


@given(st.lists(st.tuples(numbers, st.lists(numbers, max_size=4)), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_batch_equals_its_items_one_by_one(call: Any, pairs: list[tuple[float, list[float]]]) -> None:
    items = [{"reward": x, "friends": friends} for x, friends in pairs]
    assert call(PATH, *items, epsilon=5.0) == [call(PATH, item, epsilon=5.0)[0] for item in items]
