"""Two recipes beside each other: difference, exact McNemar test, kappa, flips; and how scores are distributed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.lab.agreement import compare_rewards, mcnemar_test
from reward_gateway.lab.comparison import Comparison, Rule
from reward_gateway.lab.decisions import MISTAKES, list_mistakes
from reward_gateway.lab.distribution import measure_distribution
from reward_gateway.lab.kappa import cohens_kappa
from reward_gateway.lab.outcomes import Outcomes, Ties
from reward_gateway.lab.report import Difference
from reward_gateway.lab.scores import RowScores

from tests.lab.made import make, pairs


def compare(comparisons: list[Comparison], a: list[RowScores], b: list[RowScores]) -> Difference:
    first, second = (Outcomes.of(comparisons, rows, Ties.HALF) for rows in (a, b))
    return compare_rewards(comparisons, (first, second), (a, b))


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_exact_binomial_test(a: int, b: int) -> None:
    smaller, size = min(a, b), a + b
    expected = min(1.0, 2 * sum(math.comb(size, k) for k in range(smaller + 1)) / 2**size) if size else 1.0
    assert mcnemar_test(a, b).p == pytest.approx(expected)
    assert mcnemar_test(b, a).p == pytest.approx(expected)


def test_a_beside_b_by_hand() -> None:
    comparisons, a = pairs((2, 1), (2, 1), (2, 1), (1, 2), (1, 1), (1, math.nan))
    _, b = pairs((5, 1), (1, 5), (3, 9), (1, 2), (2, 1), (2, 1))
    found = compare(comparisons, a, b)
    assert found.n == 5, "one has no score of A"
    assert (found.a, found.b) == (3.5 / 5, 2 / 5)
    assert found.difference.value == pytest.approx(1.5 / 5)
    assert (found.mcnemar.a_better, found.mcnemar.b_better) == (2, 1)
    assert found.mcnemar.p == 1.0
    assert (found.agreement.value, found.agreement.n) == (2 / 5, 5)
    expected, _ = cohens_kappa(["right"] * 3 + ["wrong", "tie"], ["right", "wrong", "wrong", "wrong", "right"])
    assert found.kappa.value == pytest.approx(expected)
    assert [flip.row for flip in found.flips] == [3, 2, 5], "those whose margins are furthest apart come first"
    assert (found.flips[0].a.chosen, found.flips[0].b.rejected, found.flips[0].b.outcome) == (2, 9, 0)


def test_the_same_scores_agree_in_everything() -> None:
    comparisons, scores = pairs((2, 1), (1, 2), (3, 3), (4, 1))
    found = compare(comparisons, scores, scores)
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
    assert (found.agreement.value, found.kappa.value, found.mcnemar.p, found.flips) == (1, 1, 1, [])


def test_the_interval_of_the_difference_is_that_of_a_paired_bootstrap() -> None:
    random = np.random.default_rng(2)
    truth = random.normal(size=(200, 2))
    comparisons, a = pairs(*((1.0, 0.0) if x > -0.8 else (0.0, 1.0) for x, _ in truth))
    _, b = pairs(*((1.0, 0.0) if x + 0.8 * y > -0.4 else (0.0, 1.0) for x, y in truth))
    found = compare(comparisons, a, b)
    differences = np.array([x > -0.8 for x, _ in truth], float) - np.array([x + 0.8 * y > -0.4 for x, y in truth])
    half = 1.96 * differences.std(ddof=1) / math.sqrt(200)
    assert found.difference.value == pytest.approx(differences.mean())
    assert found.difference.low == pytest.approx(differences.mean() - half, abs=0.015)
    assert found.difference.high == pytest.approx(differences.mean() + half, abs=0.015)


def test_flips_of_several_responses_name_the_best_of_each_side() -> None:
    comparisons, a = make(([3], [1, 2]), rule=Rule.BEST)
    _, b = make(([3], [4, 2]), rule=Rule.BEST)
    (flip,) = compare(comparisons, a, b).flips
    assert (flip.chosen, flip.rejected, flip.a.rejected, flip.b.rejected) == (None, None, 2, 4)
    comparisons, a = make(([3, 3, 3], [1, 2, 3.5]), rule=Rule.MATRIX)
    _, b = make(([3, 3, 3], [1, 4, 3.5]), rule=Rule.MATRIX)
    assert [(flip.chosen, flip.rejected) for flip in compare(comparisons, a, b).flips] == [(0, 1), (1, 1), (2, 1)]


def test_mistakes_are_those_with_the_largest_margin_and_no_ties() -> None:
    comparisons, scores = pairs((2, 1), (1, 2), (1, 1), (0, 9), (math.nan, 1))
    outcomes = Outcomes.of(comparisons, scores, Ties.WRONG)
    mistakes = list_mistakes(comparisons, outcomes, scores)
    assert [(one.row, one.decision.rejected) for one in mistakes] == [(4, 9), (2, 2)]
    comparisons, scores = pairs(*((0, k + 1) for k in range(MISTAKES + 5)))
    listed = list_mistakes(comparisons, Outcomes.of(comparisons, scores, Ties.HALF), scores)
    assert [one.row for one in listed] == list(range(MISTAKES + 5, 5, -1))


def test_nothing_in_common_has_no_difference() -> None:
    comparisons, a = pairs((1, math.nan))
    _, b = pairs((1, 2))
    found = compare(comparisons, a, b)
    assert (found.n, found.difference.value, found.kappa.value, found.mcnemar.p) == (0, None, None, 1)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=30))
def test_every_score_is_in_one_bin(scores: list[tuple[float, float]]) -> None:
    found = measure_distribution(pairs(*scores)[1])
    for side, values in zip((found.chosen, found.rejected), zip(*scores, strict=True), strict=True):
        assert side.n == sum(side.counts) == len(values)
        assert side.mean == pytest.approx(np.mean(values))
        assert list(side.quantiles.values()) == pytest.approx(
            np.percentile(values, [0, 5, 25, 50, 75, 95, 100]).tolist()
        )
        assert found.edges[0] <= min(values)
        assert max(values) <= found.edges[-1]
        if len(values) > 1:
            assert side.std == pytest.approx(np.std(values, ddof=1))


def test_scores_that_are_missing_or_all_equal_are_counted_too() -> None:
    found = measure_distribution(pairs((1, 1), (1, math.nan))[1])
    assert (found.chosen.counts, found.rejected.counts, found.rejected.n) == ([2], [1], 1)
    empty = measure_distribution([])
    assert (empty.chosen.n, empty.chosen.mean, empty.chosen.quantiles) == (0, None, {})
