"""The statistics agree with SciPy, say nothing of too few, and move when the scores do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reward_gateway.telemetry.statistics import (
    MIN_OBSERVATIONS,
    describe_values,
    ensemble_disagreement,
    measure_drift,
    rank_correlation,
    rank_values,
    saturated_share,
    select_finite,
)
from scipy.stats import ks_2samp, rankdata, spearmanr

SCORES = arrays(np.float64, st.integers(0, 60), elements=st.floats(allow_infinity=True, allow_nan=True))


def normal(seed: int, count: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, size=count)


def test_a_distribution_is_described_without_what_is_no_observation() -> None:
    found = describe_values(np.array([1.0, 2.0, np.nan, 3.0, np.inf, 4.0]))
    assert (found["count"], found["mean"], found["min"], found["max"]) == (4, 2.5, 1.0, 4.0)
    assert found["std"] == pytest.approx(math.sqrt(1.25))
    assert found["quantiles"]["0.5"] == 2.5
    assert describe_values(np.full(3, np.nan))["mean"] is None


@given(SCORES)
def test_whatever_comes_in_only_finite_numbers_come_out(values: np.ndarray) -> None:
    found = describe_values(values)
    told = [found["mean"], found["std"], found["saturated"], *(found["quantiles"] or {}).values()]
    assert all(number is None or math.isfinite(number) for number in told)
    assert found["count"] == len(select_finite(values))


@pytest.mark.parametrize(
    ("values", "share"), [([0, 0, 0, 1], 0.5), ([0, 1, 2, 3, 4], 0.0), ([5, 5], 1.0), ([0, 1, 2, 2], 0.25), ([7], 1.0)]
)
def test_saturation_is_what_one_end_has_more_than_the_other(values: list[float], share: float) -> None:
    assert saturated_share(np.array(values, dtype=float)) == share


@pytest.mark.parametrize(("right", "share"), [(0.5, 0.0), (0.6, 0.2), (0.95, 0.9), (0.05, 0.9), (1.0, 1.0), (0.0, 1.0)])
def test_a_binary_reward_is_saturated_only_where_nearly_all_samples_have_the_same_one(
    right: float, share: float
) -> None:
    rewards = (np.arange(1000) < 1000 * right).astype(float)
    assert saturated_share(rewards) == pytest.approx(share)
    assert describe_values(rewards)["saturated"] == saturated_share(rewards)


def test_a_reward_that_is_clipped_at_one_end_is_saturated() -> None:
    clipped = np.minimum(normal(0, 2000), -1.0)  # five sixths of the samples get the most that there is
    assert saturated_share(clipped) == pytest.approx(0.84, abs=0.03)


def test_the_same_distribution_has_hardly_drifted() -> None:
    moved = measure_drift(normal(1, 2000), normal(2, 2000))
    assert moved is not None
    assert moved["psi"] < 0.05
    assert moved["ks"] < 0.05


def test_the_population_stability_index_is_that_of_tenths_of_the_reference() -> None:
    reference = np.arange(1000.0)
    current = np.concatenate([np.arange(500.0), np.arange(500.0)])  # the upper half is gone
    moved = measure_drift(reference, current)
    assert moved is not None
    p, q = np.full(10, 100.5 / 1005), np.array([200.5] * 5 + [0.5] * 5) / 1005
    assert moved["psi"] == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert moved["ks"] == pytest.approx(0.5)


@given(st.integers(0, 2**32), st.floats(-3, 3))
def test_the_distance_is_that_of_kolmogorov_and_smirnov(seed: int, shift: float) -> None:
    before, now = normal(seed, 150), np.round(normal(seed + 1, 130, shift), 1)
    moved = measure_drift(before, now)
    assert moved is not None
    assert moved["ks"] == pytest.approx(ks_2samp(before, now).statistic)
    assert moved["psi"] >= 0


def test_a_rule_that_begins_to_say_yes_more_often_is_seen() -> None:
    def rule(share: float) -> np.ndarray:
        return (np.arange(1000) < share * 1000).astype(float)

    same, more = measure_drift(rule(0.6), rule(0.6)), measure_drift(rule(0.6), rule(0.9))
    assert same == {"psi": 0.0, "ks": 0.0}
    assert more is not None
    p, q = np.array([400.5, 600.5]) / 1001, np.array([100.5, 900.5]) / 1001
    assert more["psi"] == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert more["psi"] > 0.25
    assert more["ks"] == pytest.approx(0.3)


def test_of_too_few_nothing_is_said() -> None:
    few = normal(1, MIN_OBSERVATIONS - 1)
    assert measure_drift(few, normal(1, 500)) is None
    assert measure_drift(normal(1, 500), few) is None
    assert rank_correlation(few, few) is None
    assert ensemble_disagreement([few]) is None


def test_the_correlation_is_spearmans_over_rows_that_have_both() -> None:
    x, y = normal(1, 300), np.round(normal(2, 300) + normal(1, 300), 1)
    x[::7] = np.nan
    kept = np.isfinite(x)
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x[kept], y[kept]).statistic)
    assert rank_correlation(x, np.ones(300)) is None


def test_disagreement_is_the_mean_spread_over_members_that_all_answered() -> None:
    assert ensemble_disagreement([np.array([0.0, 1.0, np.nan]), np.array([2.0, 1.0, 0.0])]) == 0.5


@given(arrays(np.float64, st.integers(0, 40), elements=st.integers(-3, 3).map(float)))
def test_equal_values_share_the_mean_of_their_ranks(values: np.ndarray) -> None:
    np.testing.assert_array_equal(rank_values(values), rankdata(values))
