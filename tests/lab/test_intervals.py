"""Intervals beside those of scipy, and what holds of any of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.lab.intervals import bootstrap_interval, share_interval, sum_by_prompt, wilson_interval
from scipy import stats


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy(counts: tuple[int, int]) -> None:
    right, size = counts
    expected = stats.binomtest(right, size).proportion_ci(method="wilson")
    assert list(wilson_interval(right / size, size)) == pytest.approx([expected.low, expected.high], abs=1e-12)


@pytest.mark.parametrize("size", [1, 7, 78, 100, 999])
def test_the_end_at_a_share_of_none_or_all_is_exact(size: int) -> None:
    assert wilson_interval(0.0, size)[0] == 0.0
    assert wilson_interval(1.0, size)[1] == 1.0


def test_nothing_has_no_interval() -> None:
    assert all(map(math.isnan, wilson_interval(math.nan, 0)))
    assert all(map(math.isnan, share_interval(np.array([]), [])))
    assert all(map(math.isnan, bootstrap_interval(np.zeros((0, 2)), lambda drawn: drawn[:, 0])))


def test_sums_go_by_prompt_in_the_order_of_the_first_row() -> None:
    sums = sum_by_prompt(np.array([[1.0, 1], [2, 1], [4, 1]]), ["b", "a", "b"])
    assert sums.tolist() == [[5, 2], [2, 1]]


def test_one_comparison_per_prompt_has_wilson_and_several_the_bootstrap_over_prompts() -> None:
    values = np.array([1.0, 0, 1, 1, 0.5, 1, 0, 1])
    alone, together = share_interval(values, range(8)), share_interval(values, [0, 0, 1, 1, 2, 2, 3, 3])
    assert alone == wilson_interval(float(values.mean()), 8)
    means = values.reshape(4, 2).mean(1)
    expected = stats.bootstrap((means,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert together == pytest.approx((expected.low, expected.high), abs=0.03)
    assert share_interval(values, [0, 0, 1, 1, 2, 2, 3, 3]) == together, "the seed is fixed"


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(60):
        prompts = np.repeat(np.arange(80), 3)
        values = (random.random(240) < np.repeat(random.beta(7, 3, 80), 3)).astype(float)
        low, high = share_interval(values, prompts.tolist())
        covered += low <= 0.7 <= high
    assert 51 <= covered <= 60


def test_draws_without_a_statistic_are_left_out() -> None:
    sums = np.array([[1.0, 1], [0, 0]])  # a prompt without a comparison: drawn twice there is nothing to divide by
    assert bootstrap_interval(sums, lambda drawn: drawn[:, 0] / drawn[:, 1]) == (1.0, 1.0)
    assert all(map(math.isnan, bootstrap_interval(np.zeros((3, 2)), lambda drawn: drawn[:, 0] / drawn[:, 1])))


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=12))
def test_an_interval_of_a_share_lies_in_0_to_1_and_around_it_where_prompts_are_alone(
    rows: list[tuple[int, float]],
) -> None:
    values = np.array([value for _, value in rows])
    low, high = share_interval(values, [prompt for prompt, _ in rows])
    assert 0 <= low <= high <= 1
    low, high = share_interval(values, range(len(rows)))
    assert low <= values.mean() + 1e-12
    assert values.mean() - 1e-12 <= high
