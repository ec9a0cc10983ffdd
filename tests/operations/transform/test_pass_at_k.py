"""transform/pass_at_k: the published values, and every form against all subsets, listed one by one."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

R = [0.2, 0.9, 0.5, 0.4]
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def shaped(call: Any, rewards: list[float], **params: Any) -> list[float]:
    results = call("transform/pass_at_k", *({"reward": r, "group": "p"} for r in rewards), **params)
    return [result["reward"] for result in results]


def highest(rewards: list[float], rows: tuple[int, ...]) -> float:
    return max((rewards[row] for row in rows), default=0.0)


def list_sums(rewards: list[float], k: int) -> list[float]:
    """S_i by its definition."""
    subsets = list(itertools.combinations(range(len(rewards)), k))
    return [sum(highest(rewards, s) for s in subsets if i in s) / len(subsets) for i in range(len(rewards))]


def list_gains(rewards: list[float], k: int) -> list[float]:
    subsets = list(itertools.combinations(range(len(rewards)), k))
    without = [[(s, tuple(j for j in s if j != i)) for s in subsets if i in s] for i in range(len(rewards))]
    return [sum(highest(rewards, s) - highest(rewards, rest) for s, rest in pairs) / len(subsets) for pairs in without]


def list_against_others(rewards: list[float], k: int) -> list[float]:
    """S_i less the mean of the others' S, of which each is computed in the group without i."""
    sums = list_sums(rewards, k)
    others = [list_sums(rewards[:i] + rewards[i + 1 :], k) for i in range(len(rewards))]
    return [own - sum(rest) / len(rest) for own, rest in zip(sums, others, strict=True)]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("none", [0.3, 0.45, 0.31667, 0.3]),
        ("loo_minus_one", [0, 0.26667, 0.06667, 0.03333]),
        ("loo", [-0.21111, 0.13889, -0.17222, -0.21111]),
        ("best_second", [0, 0.4, 0, 0]),
    ],
)
def test_the_published_values(call: Any, form: str, expected: list[float]) -> None:
    assert shaped(call, R, k=2, form=form) == pytest.approx(expected, abs=5e-6)
    averaged = shaped(call, R, k=2, form=form, scale="mean")
    assert averaged == pytest.approx([4 * value for value in shaped(call, R, k=2, form=form)])


def test_the_estimate_is_the_mean_of_the_best_over_all_subsets(call: Any) -> None:
    results = call("transform/pass_at_k", *({"reward": r, "group": "p"} for r in R), k=2)
    assert {round(result["details"]["estimate"], 5) for result in results} == {0.68333}


@given(st.lists(st.one_of(st.floats(-2, 2), st.sampled_from([0.0, 1.0])), min_size=1, max_size=7), st.data())
@LAWS
def test_it_is_what_listing_every_subset_gives(call: Any, rewards: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(rewards)))
    assert shaped(call, rewards, k=k, form="none") == pytest.approx(list_sums(rewards, k), abs=1e-12)
    assert shaped(call, rewards, k=k) == pytest.approx(list_gains(rewards, k), abs=1e-12)
    if k < len(rewards):
        assert shaped(call, rewards, k=k, form="loo") == pytest.approx(list_against_others(rewards, k), abs=1e-12)


@given(st.integers(1, 12), st.data())
@LAWS
def test_right_and_wrong_ones_have_pass_at_k_in_closed_form(call: Any, n: int, data: st.DataObject) -> None:
    right, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    rewards = [1.0] * right + [0.0] * (n - right)
    missed = math.comb(n - 1 - right, k - 1) / math.comb(n - 1, k - 1) if right < n else 0.0
    expected = [k / n] * right + [k / n * (1 - missed)] * (n - right)
    assert shaped(call, rewards, k=k, form="none") == pytest.approx(expected, abs=1e-12)


def test_with_one_response_it_is_the_reward_over_the_size(call: Any) -> None:
    assert shaped(call, R, k=1) == pytest.approx([r / 4 for r in R])


def test_a_large_group_has_finite_numbers_and_the_same_sum(call: Any) -> None:
    rewards = [math.sin(i) for i in range(3000)]
    results = call("transform/pass_at_k", *({"reward": r, "group": "p"} for r in rewards), k=1500, form="none")
    assert sum(r["reward"] for r in results) == pytest.approx(1500 * results[0]["details"]["estimate"])


def test_the_best_alone_is_rewarded_and_nobody_where_two_share_the_first_place(call: Any) -> None:
    assert shaped(call, [1, 0.5, 0, 0], form="best_second") == [0.5, 0, 0, 0]
    assert shaped(call, [1, 0.5, 0, 0], form="best_second", scale_std=True)[0] == pytest.approx(1.04446, abs=5e-6)
    assert shaped(call, [1.0, 1.0, 0.0], form="best_second", scale_std=True) == [0, 0, 0]


def test_groups_do_not_touch_each_other(call: Any) -> None:
    mixed = [item for r in R for item in ({"reward": r, "group": "p"}, {"reward": -r, "group": "q"})]
    results = call("transform/pass_at_k", *mixed, k=2)
    assert [result["reward"] for result in results[::2]] == shaped(call, R, k=2)
    assert [result["reward"] for result in results[1::2]] == shaped(call, [-r for r in R], k=2)


@pytest.mark.parametrize(("form", "k", "needed"), [("loo_minus_one", 3, 3), ("none", 3, 3), ("loo", 2, 3)])
def test_a_group_that_is_too_small_is_an_error_of_its_items_only(call: Any, form: str, k: int, needed: int) -> None:
    items = [{"reward": 1.0, "group": name} for name in "aabbb"]
    results = call("transform/pass_at_k", *items, k=k, form=form)
    assert [result["error"] is None for result in results] == [False, False, True, True, True]
    assert results[0]["error"]["param"] == "group"
    assert f"{needed} are needed" in results[0]["error"]["message"]


def test_a_group_of_one_says_so(call: Any) -> None:
    alone, *pair = call("transform/pass_at_k", *({"reward": 0.7, "group": name} for name in "abb"), k=1)
    assert alone["reward"] == 0.7
    assert alone["details"]["single"] is True
    assert [result["details"]["single"] for result in pair] == [None, None]
    (best,) = call("transform/pass_at_k", {"reward": 0.7, "group": "a"}, form="best_second")
    assert (best["reward"], best["details"]["single"]) == (0, True)


@pytest.mark.parametrize("params", [{}, {"form": "loo"}, {"k": 2, "scale_std": True}, {"k": 0}])
def test_parameters_that_say_nothing_are_refused(call: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"k|scale_std"):
        call("transform/pass_at_k", {"reward": 1.0, "group": "p"}, **params)
