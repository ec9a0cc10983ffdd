"""Outcomes of some rows stand at their places in the batch, and every other row has nothing."""

import math

import numpy as np
import pytest
from reward_gateway.operations.apply import JUDGE_ANSWER
from reward_gateway.operations.outcome import Outcome
from reward_gateway.recipes.outcome_rows import (
    is_absent,
    spread_outcome,
    sum_magnitudes,
    sum_vectors,
)


def test_an_outcome_of_all_rows_is_left_as_it_is() -> None:
    outcome = Outcome(np.array([1.0, 2.0]))
    assert spread_outcome(outcome, [0, 1], 2) is outcome


def test_numbers_vectors_and_judges_answers_go_to_their_rows() -> None:
    outcome = Outcome(np.array([1.0, 2.0]), [[3.0], [4.0, 5.0]])
    outcome.details[JUDGE_ANSWER] = ["yes", "no"]
    outcome.details["other"] = ["a", "b"]
    spread = spread_outcome(outcome, [2, 0], 4)
    np.testing.assert_array_equal(spread.reward, [2.0, np.nan, 1.0, np.nan])
    assert spread.rewards == [[4.0, 5.0], None, [3.0], None]
    assert spread.details == {JUDGE_ANSWER: ["no", None, "yes", None]}


def test_what_an_outcome_lacks_stays_lacking() -> None:
    numbers = spread_outcome(Outcome(np.array([1.0])), [1], 2)
    assert (numbers.rewards, numbers.details) == (None, {})
    vectors = spread_outcome(Outcome(None, [[1.0]]), [1], 2)
    assert vectors.reward is None
    assert vectors.rewards == [None, [1.0]]


@pytest.mark.parametrize(("value", "absent"), [(None, True), (np.nan, True), (0.0, False)])
def test_a_row_without_a_number_is_absent(value: object, absent: bool) -> None:
    assert is_absent(value) is absent


def test_a_vector_is_there_whatever_it_holds() -> None:
    assert not is_absent(np.array([np.nan]))
    assert not is_absent(np.array([]))


@pytest.mark.parametrize(
    ("vector", "total"),
    [([1.0, -2.0], 3.0), ([[1.0, -1.0], [2.0]], 4.0), ([], 0.0), ([-math.inf, math.inf], math.inf)],
)
def test_opposite_signs_do_not_hide_a_number_that_is_not_finite(vector: object, total: float) -> None:
    assert sum_magnitudes(vector) == total


def test_no_vector_has_no_magnitude() -> None:
    assert math.isnan(sum_magnitudes(None))
    assert math.isnan(sum_magnitudes([1.0, math.nan]))


def test_vectors_are_shown_by_their_sums_and_numbers_as_they_are() -> None:
    numbers = np.array([1.0, np.nan])
    assert sum_vectors(numbers) is numbers
    np.testing.assert_array_equal(sum_vectors([np.array([1.0, -3.0]), None, np.array([])]), [-2.0, np.nan, 0.0])
