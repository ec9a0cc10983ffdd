"""Calibration and length bias beside other formulas for the same."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.lab.calibration import measure_calibration
from reward_gateway.lab.comparison import Comparison, Rule
from reward_gateway.lab.length_bias import measure_length_bias
from reward_gateway.lab.pair_margins import Margins
from reward_gateway.lab.scores import RowScores
from scipy import stats

from tests.lab.made import make, pairs


def margins(*values: float, words: Any = None, prompts: list[str] | None = None) -> Margins:
    lengths = np.arange(len(values), dtype=float) if words is None else np.array(words, dtype=float)
    return Margins(np.array(values), lengths, prompts or [f"p{k}" for k in range(len(values))])


def test_a_reward_that_is_right_as_often_as_it_is_sure_has_no_error() -> None:
    sure = math.log(3)  # p = .75
    found = measure_calibration(margins(*[sure] * 3, -sure))
    assert found.ece == pytest.approx(0)
    (full,) = [one for one in found.bins if one.n]
    assert (full.n, full.accuracy) == (4, 0.75)
    assert full.confidence == pytest.approx(0.75)
    assert full.low <= 0.75 <= full.high


def test_the_bins_are_ten_equal_ones_from_a_half_to_1() -> None:
    found = measure_calibration(margins(0.0, 100.0, -100.0))
    assert len(found.bins) == 10
    assert [(one.low, one.high) for one in found.bins] == [
        pytest.approx((0.5 + 0.05 * k, 0.55 + 0.05 * k)) for k in range(10)
    ]
    assert [one.n for one in found.bins] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert found.bins[0].accuracy == 0.5, "a tie is half right"
    assert found.ece == pytest.approx(2 / 3 * abs(0.5 - 1))
    assert measure_calibration(margins()).ece is None


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=40))
def test_ece_is_the_weighted_mean_of_what_the_bins_are_off(values: list[float]) -> None:
    found = measure_calibration(margins(*values))
    p = [1 / (1 + math.exp(-abs(value))) for value in values]
    inside = stats.binned_statistic(p, np.array(values) > 0, "count", bins=np.linspace(0.5, 1, 11)).statistic
    assert sum(one.n for one in found.bins) == len(values)
    if not np.isclose(np.mod(np.array(p) * 20, 1), 0, atol=1e-9).any():  # on an edge rounding decides
        assert [one.n for one in found.bins] == inside.tolist()
    off = [one.n * abs(one.accuracy - one.confidence) for one in found.bins if one.n]  # type: ignore[operator]
    assert found.ece == pytest.approx(sum(off) / len(values))
    assert found.ece is not None
    assert 0 <= found.ece <= 1


def test_fifths_go_by_the_difference_of_the_lengths() -> None:
    random = np.random.default_rng(3)
    words, values = random.permutation(100) - 50.0, random.normal(size=100)
    found = measure_length_bias(margins(*values, words=words))
    assert [fifth.accuracy.n for fifth in found.fifths] == [20] * 5
    assert [(fifth.low, fifth.high) for fifth in found.fifths] == [(-50 + 20 * k, -31 + 20 * k) for k in range(5)]
    for k, fifth in enumerate(found.fifths):
        inside = (words >= -50 + 20 * k) & (words < -30 + 20 * k)
        assert fifth.accuracy.value == pytest.approx((values[inside] > 0).mean())
        assert fifth.mean == pytest.approx(words[inside].mean())


def test_the_slope_and_its_interval_are_those_of_a_regression() -> None:
    random = np.random.default_rng(4)
    words = random.integers(-200, 200, 60).astype(float)
    values = 0.5 * words / 100 + random.normal(size=60)
    found = measure_length_bias(margins(*values, words=words)).slope
    expected = stats.linregress(words / 100, values)
    half = stats.t(58).ppf(0.975) * expected.stderr
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.slope, expected.slope - half, expected.slope + half)
    )


def test_pairs_of_one_prompt_count_once_in_the_interval_of_the_slope() -> None:
    random = np.random.default_rng(4)
    words = random.integers(-200, 200, 60).astype(float)
    values = 0.5 * words / 100 + random.normal(size=60)
    alone = measure_length_bias(margins(*values, words=words)).slope
    doubled = measure_length_bias(
        margins(*values, *values, words=[*words, *words], prompts=[f"p{k}" for k in range(60)] * 2)
    ).slope
    assert doubled.value == pytest.approx(alone.value)
    assert None not in (alone.low, alone.high, doubled.low, doubled.high)
    widths = [one.high - one.low for one in (alone, doubled)]  # type: ignore[operator]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_equal_lengths_have_one_fifth_and_no_slope() -> None:
    found = measure_length_bias(margins(1.0, -1.0, 2.0, words=[7, 7, 7]))
    assert [(fifth.low, fifth.high, fifth.accuracy.n) for fifth in found.fifths] == [(7, 7, 3)]
    assert found.slope.value is None
    assert measure_length_bias(margins()).fifths == []


def test_margins_are_of_every_chosen_beside_every_rejected_response() -> None:
    comparison = Comparison(0, "p", ("a b c", "a"), ("a b", [{"role": "assistant", "content": "a b c d"}]), Rule.BEST)
    found = Margins.of([comparison], [RowScores(np.array([1.0, 2]), np.array([0.5, math.nan]))])
    assert found.margins.tolist() == [0.5, 1.5]
    assert found.words.tolist() == [1, -1]
    comparisons, scores = make(([1, 2], [0]), rule=Rule.TIES)
    assert len(Margins.of(comparisons, scores).margins) == 0
    comparisons, scores = pairs((1, 1), (2, 1), (1, 2))
    assert Margins.of(comparisons, scores).outcomes.tolist() == [0.5, 1, 0]
