"""Rows of a run's history: what they say of samples, and that merging loses nothing but a little of the quantiles."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.runs.rows import (
    MOST_BINS,
    Row,
    decode_row,
    describe_row,
    encode_row,
    merge_rows,
    summarise_rows,
)
from reward_gateway.sample import FloatArray
from reward_gateway.telemetry.window import LENGTH, REWARD, Column
from scipy.stats import spearmanr

A = Column("value", "a")
NUMBERS = st.floats(-1e6, 1e6)


def row_of(
    reward: FloatArray,
    lengths: FloatArray | None = None,
    groups: Any = None,
    advantage: FloatArray | None = None,
    at: int = 7,
) -> Row:
    n = len(reward)
    columns = {REWARD: reward, LENGTH: np.full(n, np.nan) if lengths is None else lengths, A: reward / 2}
    named = np.arange(n) if groups is None else np.asarray(groups, np.int64)
    return summarise_rows(at, columns, advantage, named, int(np.isnan(reward).sum()), 0)


def test_a_row_tells_what_the_samples_are_like() -> None:
    reward = np.array([1.0, 1.0, 0.0, 2.0, np.nan, 4.0])
    told = describe_row(row_of(reward, np.array([1.0, 1, 0, 2, 9, 4]), [1, 1, 2, 2, 2, 3]))
    valid = reward[np.isfinite(reward)]
    assert (told["n"], told["invalid"], told["flagged"]) == (6, 1, 0)
    assert told["mean"] == pytest.approx(valid.mean())
    assert told["std"] == pytest.approx(valid.std(ddof=1))
    assert told["components"] == {
        "a": {"mean": pytest.approx(valid.mean() / 2), "std": pytest.approx(valid.std(ddof=1) / 2)}
    }
    assert told["zero_variance_share"] == 0.5  # of two groups with several valid members, one has equal ones
    assert told["length_correlation"] == pytest.approx(1.0)
    assert told["advantage"] is None
    for q, value in told["quantiles"].items():
        assert value == pytest.approx(np.quantile(valid, float(q)), rel=0.02)


def test_a_row_without_a_reward_tells_no_number() -> None:
    told = describe_row(row_of(np.array([np.nan, np.nan])))
    assert (told["n"], told["invalid"]) == (2, 2)
    assert told["components"] == {"a": {"mean": None, "std": None}}
    assert {told[name] for name in ("mean", "std", "zero_variance_share", "length_correlation")} == {None}


def test_one_sample_has_a_mean_and_no_spread() -> None:
    told = describe_row(row_of(np.array([0.5])))
    assert (told["mean"], told["std"], told["zero_variance_share"]) == (0.5, None, None)
    assert set(told["quantiles"].values()) == {0.5}


def test_the_advantage_stands_beside_the_reward() -> None:
    reward = np.array([1.0, 3.0, np.nan])
    told = describe_row(row_of(reward, advantage=np.array([-1.0, 1.0, 99.0])))
    assert (told["mean"], told["advantage"]["mean"]) == (2.0, 0.0)
    assert told["advantage"]["std"] == pytest.approx(np.sqrt(2))


def test_the_correlation_with_the_length_is_spearmans() -> None:
    draw = np.random.default_rng(0).normal(size=(2, 50))
    lengths = np.round(np.exp(draw[0] + draw[1]) * 10)
    told = describe_row(row_of(draw[0], lengths))
    assert told["length_correlation"] == pytest.approx(spearmanr(draw[0], lengths).statistic)


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=40), min_size=1, max_size=5))
def test_merged_rows_are_the_row_of_all_samples(parts: list[list[float]]) -> None:
    arrays = [np.array(part) for part in parts]
    merged = describe_row(merge_rows([row_of(part) for part in arrays]))
    whole = np.concatenate(arrays)
    scale = max(1.0, float(np.abs(whole).max()))
    assert merged["n"] == len(whole)
    assert merged["mean"] == pytest.approx(whole.mean(), abs=1e-9 * scale)
    if len(whole) > 1:
        assert merged["std"] == pytest.approx(whole.std(ddof=1), abs=1e-6 * scale)
    assert merged["components"]["a"]["mean"] == pytest.approx(whole.mean() / 2, abs=1e-9 * scale)
    told = list(merged["quantiles"].values())
    assert told == sorted(told)
    assert whole.min() <= told[0]
    assert told[-1] <= whole.max()


@given(st.lists(NUMBERS, min_size=1, max_size=300), st.randoms())
def test_a_row_is_stored_and_read_as_it_is(numbers: list[float], random: Any) -> None:
    reward = np.array(numbers)
    reward[[i for i in range(len(reward)) if random.random() < 0.1]] = np.nan
    row = row_of(reward, np.arange(len(reward), dtype=float), advantage=reward - 1)
    assert decode_row(encode_row(row)) == row


def test_quantiles_of_many_samples_in_many_parts_are_near() -> None:
    draw = np.random.default_rng(1).normal(2.0, 1.0, 20_000)
    merged = row_of(draw[:200])
    for start in range(200, len(draw), 200):
        merged = merge_rows([merged, row_of(draw[start : start + 200])])
    assert len(merged.reward.bins) <= 4 * MOST_BINS
    assert len(encode_row(merged)) < 400
    ordered = np.sort(draw)
    for q, value in describe_row(merged)["quantiles"].items():
        rank = np.searchsorted(ordered, value) / len(ordered)
        assert rank == pytest.approx(float(q), abs=0.02)


def test_very_large_rewards_stay_finite() -> None:
    told = describe_row(
        merge_rows([row_of(np.array([1e308, -1e308])), row_of(np.array([1e308, 1e308]), groups=[1, 1])])
    )
    assert np.isfinite([told["mean"], told["std"], told["components"]["a"]["mean"] or 0.0]).all()
