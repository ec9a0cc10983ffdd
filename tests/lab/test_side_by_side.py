"""Two rewards beside each other, against scipy's statistics and by what must hold for any rewards."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from reward_gateway.lab.side_by_side import compare_side_by_side, spread_evenly
from reward_gateway.sample import FloatArray
from scipy import stats

NUMBERS = st.one_of(st.floats(-50, 50), st.sampled_from([0.0, 1.0]), st.just(math.nan))
PAIRS = st.integers(0, 60).flatmap(
    lambda n: st.tuples(*(arrays.arrays(np.float64, n, elements=NUMBERS) for _ in range(2)))
)


def alone(values: FloatArray) -> list[str]:
    return [f"p{k}" for k in range(len(values))]


@given(PAIRS)
def test_correlations_are_scipys_over_the_samples_that_both_score(pair: tuple[FloatArray, FloatArray]) -> None:
    a, b = pair
    both = ~np.isnan(a) & ~np.isnan(b)
    found = compare_side_by_side(a, b, alone(a))
    assert found.rows == np.flatnonzero(both).tolist()
    first, second = a[both], b[both]
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        assert (found.pearson, found.spearman) == (None, None)
        return
    assert found.spearman == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)
    if min(first.std(), second.std()) > 1e-6:  # below it both lose the digits
        assert found.pearson == pytest.approx(stats.pearsonr(first, second).statistic, abs=1e-6)


@given(PAIRS)
def test_a_and_b_may_change_places(pair: tuple[FloatArray, FloatArray]) -> None:
    a, b = pair
    found, turned = compare_side_by_side(a, b, alone(a)), compare_side_by_side(b, a, alone(a))
    assert found.spearman == pytest.approx(turned.spearman)
    assert [one.row for one in found.disagreements] == [one.row for one in turned.disagreements]
    assert found.distributions.a.counts == turned.distributions.b.counts
    assert sum(found.distributions.a.counts) == len(found.rows)


def test_pairs_are_compared_within_prompts_where_these_have_several() -> None:
    a = np.array([1.0, 2.0, 1.0, 2.0, 5.0])
    b = np.array([1.0, 2.0, 2.0, 1.0, 0.0])
    found = compare_side_by_side(a, b, ["p", "p", "q", "q", "r"])
    assert (found.order.agreement, found.order.groups, found.order.best_changed) == (0.5, 2, 0.5)


def test_pairs_of_any_samples_are_compared_where_no_prompt_has_several() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    found = compare_side_by_side(a, b, alone(a))
    assert found.order.agreement == pytest.approx(2 / 3)
    assert (found.order.groups, found.order.best_changed) == (0, None)
    kendall = stats.kendalltau(a, b).statistic
    assert found.order.agreement == pytest.approx((kendall + 1) / 2)


def test_the_largest_disagreement_stands_first_whatever_the_scales() -> None:
    a, b = np.arange(10.0), 1e6 * np.arange(10.0)
    b[[0, 9]] = b[[9, 0]]
    found = compare_side_by_side(a, b, alone(a))
    assert {one.row for one in found.disagreements[:2]} == {0, 9}
    assert (found.disagreements[0].rank_a, found.disagreements[0].rank_b) == (0.05, 0.95)
    assert compare_side_by_side(a, 7 * a, alone(a)).disagreements == []


def test_rewards_of_other_scales_are_drawn_in_standard_deviations() -> None:
    a, b = np.linspace(0, 1, 50), np.linspace(0, 1000, 50)
    assert not compare_side_by_side(a, a + 0.5, alone(a)).distributions.standardized
    found = compare_side_by_side(a, b, alone(a)).distributions
    assert found.standardized
    assert found.a.mean == pytest.approx(0)
    assert found.b.mean == pytest.approx(0)
    assert found.a.counts == found.b.counts


def test_the_slope_over_length_is_scipys() -> None:
    random = np.random.default_rng(0)
    words = random.integers(5, 400, 80).astype(float)
    a = 0.01 * words + random.normal(size=80)
    found = compare_side_by_side(a, -a, alone(a), words)
    line = stats.linregress(words / 100, a)
    assert found.slopes is not None
    first, second = found.slopes
    assert first.value == pytest.approx(line.slope)
    assert second.value == pytest.approx(-line.slope)
    assert first.low is not None
    assert first.low == pytest.approx(line.slope - stats.t.ppf(0.975, 78) * line.stderr)


@pytest.mark.parametrize("huge", [1e300, math.inf])
def test_huge_rewards_are_compared_too(huge: float) -> None:
    a = np.array([1.0, 2.0, 3.0, huge])
    found = compare_side_by_side(a, -a, alone(a), np.arange(4.0))
    assert found.spearman == pytest.approx(-1)
    assert len(found.rows) == (3 if math.isinf(huge) else 4)


@given(st.integers(0, 500), st.integers(1, 50))
def test_places_are_spread_evenly(size: int, most: int) -> None:
    places = spread_evenly(size, most)
    assert len(places) == min(size, most)
    assert places == sorted(set(places))
    assert all(0 <= place < size for place in places)
