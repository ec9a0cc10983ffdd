"""The figures of a comparison are those of their definitions, and None where too little was seen."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.experiments.comparison import Comparison
from scipy.stats import kendalltau, pearsonr, spearmanr

VERSIONS = ("1-a", "2-b")


def compared(groups: list[str], served: list[float], candidate: list[float]) -> dict[str, Any]:
    comparison = Comparison()
    comparison.add_samples(VERSIONS, groups, np.array(served, float), np.array(candidate, float))
    return comparison.report()


def test_by_hand() -> None:
    told = compared(["p", "p", "p", "q", "q"], [1, 2, 3, -1, 1], [2, 1, 4, 1, 3])
    assert told["n"] == 5
    assert told["groups"] == 2
    assert told["pair_agreement"] == pytest.approx(3 / 4)  # of p: 1-2 turned, 1-3 and 2-3 kept; of q: kept
    assert told["best_changed"] == 0.0
    assert told["sign_flips"] == pytest.approx(1 / 5)
    assert told["mean_shift"] == pytest.approx(1.0)


def test_another_best_sample_is_counted_once_a_prompt() -> None:
    assert compared(["p", "p", "q", "q"], [1, 2, 1, 2], [2, 1, 1, 2])["best_changed"] == 0.5


def test_a_tie_of_the_candidate_agrees_by_half_and_one_of_the_served_version_says_nothing() -> None:
    assert compared(["p", "p"], [1, 2], [5, 5])["pair_agreement"] == 0.5
    assert compared(["p", "p"], [1, 1], [5, 6])["pair_agreement"] is None


def test_samples_alone_in_their_prompt_have_no_pairs() -> None:
    told = compared(["p", "q", "r"], [1, 2, 3], [1, 2, 3])
    assert (told["groups"], told["pair_agreement"], told["best_changed"]) == (0, None, None)
    assert told["pearson"] == pytest.approx(1.0)


def test_nothing_seen_is_nothing_said() -> None:
    told = Comparison().report()
    assert told["n"] == 0
    assert {told[key] for key in ("pearson", "spearman", "mean_shift", "sign_flips", "best_changed")} == {None}


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=40, unique=True), st.randoms())
def test_as_scipy_has_it(numbers: list[int], random: Random) -> None:
    served, candidate = list(map(float, numbers)), list(map(float, numbers))
    random.shuffle(candidate)
    told = compared(["p"] * len(served), served, candidate)
    assert told["pearson"] == pytest.approx(pearsonr(served, candidate).statistic, abs=1e-9)
    assert told["spearman"] == pytest.approx(spearmanr(served, candidate).statistic, abs=1e-9)
    tau = kendalltau(served, candidate).statistic
    assert told["pair_agreement"] == pytest.approx((tau + 1) / 2, abs=1e-9)


def test_scores_of_any_size_that_a_model_can_give_are_compared() -> None:
    assert compared(["p"] * 3, [1e38, 2e38, 3e38], [1, 2, 3])["pearson"] == pytest.approx(1.0)
    assert compared(["p"] * 3, [1, 1, 1], [1, 2, 3])["pearson"] is None


def test_another_version_on_either_side_begins_anew() -> None:
    comparison = Comparison()
    comparison.add_samples(VERSIONS, ["p"] * 4, np.arange(4.0), np.arange(4.0))
    comparison.add_samples(("1-a", "3-c"), ["p"] * 2, np.arange(2.0), np.arange(2.0))
    assert comparison.report()["n"] == 2


def test_the_window_forgets_the_oldest() -> None:
    comparison = Comparison(window=3)
    comparison.add_samples(VERSIONS, ["p"] * 5, np.arange(5.0), np.array([9.0, 9, 2, 3, 4]))
    told = comparison.report()
    assert (told["n"], told["samples"], told["mean_shift"]) == (3, 5, 0.0)
