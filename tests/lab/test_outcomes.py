"""Who wins a comparison, what ties count, and what a missing score does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.lab.accuracy import measure_accuracy, measure_matrix, measure_subsets
from reward_gateway.lab.comparison import Rule
from reward_gateway.lab.intervals import wilson_interval
from reward_gateway.lab.outcomes import Outcomes, Ties, decide
from reward_gateway.lab.scores import split_scores

from tests.lab.made import make, pairs

SCORES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=4)


def value(chosen: list[float], rejected: list[float], ties: Ties = Ties.HALF) -> tuple[float, bool]:
    return decide(np.array(chosen), np.array(rejected), ties)


def test_a_pair_is_right_wrong_or_half_right() -> None:
    assert value([2], [1]) == (1.0, False)
    assert value([1], [2]) == (0.0, False)
    assert value([1], [1]) == (0.5, True)
    assert value([1], [1], Ties.WRONG) == (0.0, True)
    assert math.isnan(value([math.nan], [1])[0])
    assert math.isnan(value([3], [1, math.nan])[0])


def test_of_several_it_is_right_by_the_share_of_the_chosen_among_those_on_top() -> None:
    """RewardBench 2: 1/(number tied at the top) where the chosen response is among them."""
    assert value([4], [1, 2, 3]) == (1.0, False)
    assert value([3], [3, 2, 3]) == (1 / 3, True)
    assert value([3], [3, 2, 3], Ties.WRONG) == (0.0, True)
    assert value([2], [3, 3, 3]) == (0.0, False)
    assert value([3, 3], [1]) == (1.0, False), "right answers that are equal are no tie"


@given(SCORES, SCORES, st.integers(-5, 5), st.sampled_from([0.5, 1.0, 4.0]))
def test_only_the_order_of_scores_counts(chosen: list[float], rejected: list[float], shift: int, scale: float) -> None:
    moved, other = ([score * scale + shift for score in side] for side in (chosen, rejected))
    assert value(moved, other) == value(chosen, rejected)
    assert 0 <= value(chosen, rejected, Ties.WRONG)[0] <= value(chosen, rejected)[0] <= 1
    assert value(chosen, rejected)[0] + value(rejected, chosen)[0] == pytest.approx(1)


def test_scores_come_back_to_their_rows() -> None:
    comparisons, scores = make(([1, 2], [3]), ([4], [5, 6]))
    split = split_scores(comparisons, [1, 2, 3, 4, 5, 6])
    assert [(row.chosen.tolist(), row.rejected.tolist()) for row in split] == [
        (row.chosen.tolist(), row.rejected.tolist()) for row in scores
    ]


def test_accuracy_counts_ties_apart_and_leaves_out_what_has_no_score() -> None:
    comparisons, scores = pairs((2, 1), (1, 2), (1, 1), (math.nan, 1), (3, 0))
    for ties, mean in ((Ties.HALF, 2.5 / 4), (Ties.WRONG, 2 / 4)):
        outcomes = Outcomes.of(comparisons, scores, ties)
        found = measure_accuracy(outcomes.values, outcomes.tied, outcomes.prompts)
        assert (found.n, found.ties, found.prompts, found.interval) == (4, 1, 4, "wilson")
        assert found.value == mean
        assert (found.low, found.high) == pytest.approx(wilson_interval(mean, 4))


def test_prompts_with_several_comparisons_have_a_bootstrap() -> None:
    comparisons, scores = make(*[([k % 3], [1]) for k in range(12)], prompts=[f"p{k // 2}" for k in range(12)])
    outcomes = Outcomes.of(comparisons, scores, Ties.HALF)
    found = measure_accuracy(outcomes.values, outcomes.tied, outcomes.prompts)
    assert (found.interval, found.prompts, found.n) == ("bootstrap", 6, 12)


def test_nothing_measured_has_no_accuracy() -> None:
    found = measure_accuracy(np.array([math.nan]), np.array([False]), ["p"])
    assert (found.n, found.value, found.low, found.high) == (0, None, None, None)


def test_subsets_stand_in_the_order_of_the_file() -> None:
    comparisons, scores = make(*[([k], [1]) for k in (2, 0, 2, 1)], subsets=["b", "a", "b", None])
    subsets = measure_subsets(comparisons, Outcomes.of(comparisons, scores, Ties.HALF))
    assert [(subset.name, subset.accuracy.n, subset.accuracy.value) for subset in subsets] == [("b", 2, 1), ("a", 1, 0)]


def test_the_matrix_of_rm_bench_by_hand() -> None:
    """Rows: chosen concise, detailed, Markdown; columns: rejected. Hard is above the diagonal, easy below it."""
    comparisons, scores = make(
        ([1, 2, 3], [0.5, 2.5, 3]),  # > : [1 0 0], [1 0 0], [1 1 .5]
        ([1, 2, 3], [1.5, 1.5, 1.5]),  # > : [0 0 0], [1 1 1], [1 1 1]
        rule=Rule.MATRIX,
    )
    outcomes = Outcomes.of(comparisons, scores, Ties.HALF)
    found = measure_matrix(comparisons, outcomes)
    assert found is not None
    assert [[cell.value for cell in row] for row in found.cells] == [[0.5, 0, 0], [1, 0.5, 0.5], [1, 1, 0.75]]
    assert found.hard.value == pytest.approx((0 + 0 + 0.5) / 3)
    assert found.normal.value == pytest.approx((0.5 + 0.5 + 0.75) / 3)
    assert found.easy.value == 1
    assert (found.hard.n, found.hard.interval) == (6, "bootstrap")
    assert measure_accuracy(outcomes.values, outcomes.tied, outcomes.prompts).value == pytest.approx(5.25 / 9)


def test_a_cell_of_the_matrix_needs_only_its_own_two_scores() -> None:
    comparisons, scores = make(([1, 2, math.nan], [0, 0, 0]), rule=Rule.MATRIX)
    outcomes = Outcomes.of(comparisons, scores, Ties.HALF)
    assert np.isnan(outcomes.values).sum() == 3
    found = measure_matrix(comparisons, outcomes)
    assert found is not None
    assert [row[0].value for row in found.cells] == [1, 1, None]


def test_a_set_without_three_styles_has_no_matrix() -> None:
    comparisons, scores = pairs((1, 0))
    assert measure_matrix(comparisons, Outcomes.of(comparisons, scores, Ties.HALF)) is None
