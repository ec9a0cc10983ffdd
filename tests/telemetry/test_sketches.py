"""Summaries of numbers: what is exact, how far a quantile may be off, and that merging loses nothing."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.sample import FloatArray
from reward_gateway.telemetry.sketches import (
    ACCURACY,
    Summary,
    bins_of,
    describe_summary,
    drift_of_summaries,
    merge_summaries,
    summarise_values,
)
from reward_gateway.telemetry.statistics import QUANTILES, measure_drift, saturated_share

NUMBERS = st.one_of(
    st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-12, 1e-300, 1e300, -1e300, math.nan, math.inf])
)


@given(st.lists(NUMBERS, max_size=60))
def test_a_summary_says_of_the_finite_numbers_what_numpy_says(numbers: list[float]) -> None:
    values = np.array(numbers, np.float64)
    seen = values[np.isfinite(values)]
    told = describe_summary(summarise_values(values))
    assert told["count"] == len(seen)
    if not len(seen):
        return
    assert (told["min"], told["max"]) == (seen.min(), seen.max())
    assert told["saturated"] == saturated_share(seen)
    assert all(math.isfinite(value) for value in (told["mean"], told["std"], *told["quantiles"].values()))
    if np.abs(seen).max() < 1e7:
        assert told["mean"] == pytest.approx(seen.mean(), rel=1e-9, abs=1e-6)
        assert told["std"] == pytest.approx(seen.std(), rel=1e-6, abs=1e-6)


@given(st.lists(NUMBERS.filter(math.isfinite), min_size=1, max_size=60))
def test_a_quantile_is_within_its_relative_accuracy_of_the_number_at_its_rank(numbers: list[float]) -> None:
    ordered = np.sort(np.array(numbers, np.float64))
    told = describe_summary(summarise_values(ordered))["quantiles"]
    for quantile in QUANTILES:
        rank = quantile * (len(ordered) - 1)
        low, high = ordered[math.floor(rank)], ordered[math.ceil(rank)]
        slack = 1e-9 + ACCURACY * (1 + 1e-6) * max(abs(low), abs(high))
        assert low - slack <= told[f"{quantile:g}"] <= high + slack


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_quantiles_of_many_numbers_agree_with_numpy(scale: float) -> None:
    values = np.random.default_rng(1).normal(0.3 * scale, scale, 100_000)
    told = describe_summary(summarise_values(values))["quantiles"]
    for quantile in QUANTILES:
        assert told[f"{quantile:g}"] == pytest.approx(np.quantile(values, quantile), rel=2 * ACCURACY, abs=1e-3 * scale)


@given(st.lists(NUMBERS, max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_parts_that_are_merged_are_the_whole(numbers: list[float], cuts: list[int]) -> None:
    values = np.array(numbers, np.float64)
    parts = [summarise_values(piece) for piece in np.split(values, sorted(min(cut, len(values)) for cut in cuts))]
    merged, whole = merge_summaries(parts[::-1]), summarise_values(values)
    exact = ("count", "low", "high", "at_low", "at_high", "bins", "counts")
    assert [getattr(merged, name) for name in exact] == [getattr(whole, name) for name in exact]
    largest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
    assert merged.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6 + 1e-9 * largest)  # where they cancel out


@given(st.lists(st.sampled_from([1e308, -1e308, 1.7e308, -1.7e308, 0.0, 5e-324]), min_size=1, max_size=20))
def test_summaries_of_the_largest_numbers_can_be_written(numbers: list[float]) -> None:
    summary = summarise_values(np.array(numbers))
    for told in (summary, merge_summaries([summary, summarise_values(np.array([-1e308, 3.0]))])):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Summary) == told
        assert all(math.isfinite(value) for value in describe_summary(told)["quantiles"].values())


def test_nothing_merged_is_nothing() -> None:
    assert merge_summaries([]) == merge_summaries([Summary(), Summary()]) == Summary()
    assert describe_summary(Summary())["quantiles"] is None


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=50))
def test_a_greater_number_is_in_no_lower_bin(numbers: list[float]) -> None:
    bins = bins_of(np.sort(np.array(numbers)))
    assert (np.diff(bins) >= 0).all()


def normal(mean: float, seed: int, size: int = 5000) -> FloatArray:
    return np.random.default_rng(seed).normal(mean, 1.0, size)


@pytest.mark.parametrize("mean", [0.0, 0.2, 1.0, -3.0])
def test_drift_of_summaries_is_that_of_the_numbers(mean: float) -> None:
    before, now = normal(0.0, 1), normal(mean, 2)
    exact, told = (
        measure_drift(before, now),
        drift_of_summaries(summarise_values(before), summarise_values(now)),
    )
    assert exact is not None
    assert told is not None
    assert told["ks"] == pytest.approx(exact["ks"], abs=0.01)
    assert told["psi"] == pytest.approx(exact["psi"], rel=0.05, abs=0.01)


def test_drift_of_a_rule_that_gives_0_or_1_is_exact() -> None:
    before, now = np.repeat([0.0, 1.0], [100, 300]), np.repeat([0.0, 1.0], [300, 100])
    exact, told = (
        measure_drift(before, now),
        drift_of_summaries(summarise_values(before), summarise_values(now)),
    )
    assert exact is not None
    assert told is not None
    assert told["ks"] == pytest.approx(exact["ks"]) == 0.5
    assert told["psi"] == pytest.approx(exact["psi"])


def test_too_few_numbers_tell_no_drift() -> None:
    assert drift_of_summaries(summarise_values(normal(0, 1, 99)), summarise_values(normal(0, 1))) is None
