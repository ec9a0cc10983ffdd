"""score/kimi_length and score/adaptive_length: length beside the other responses to the same prompt."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ALP = {"beta": 0.1, "normalizer": 8192.0}


def members(lengths: list[float], right: list[bool], group: str = "p") -> list[dict[str, Any]]:
    return [{"length": n, "correct": c, "group": group} for n, c in zip(lengths, right, strict=True)]


def rewards(results: list[dict[str, Any]]) -> list[float]:
    return [result["reward"] for result in results]


def test_kimis_published_value(call: Any) -> None:
    assert rewards(call("score/kimi_length", *members([100, 200, 300], [True, True, False]))) == [0.5, 0, -0.5]


def test_a_wrong_one_never_earns_by_being_short_and_counts_for_the_range(call: Any) -> None:
    assert rewards(call("score/kimi_length", *members([0, 50, 100], [False, True, True]))) == [0, 0, -0.5]


def test_equal_lengths_give_nothing(call: Any) -> None:
    assert rewards(call("score/kimi_length", *members([7, 7], [True, False]))) == [0, 0]


@given(st.lists(st.tuples(st.floats(0, 1e5), st.booleans()), min_size=2, max_size=8))
@LAWS
def test_kimis_reward_is_within_a_half_and_its_formula(call: Any, group: list[tuple[float, bool]]) -> None:
    lengths, right = [n for n, _ in group], [c for _, c in group]
    low, span = min(lengths), max(lengths) - min(lengths)
    earned = [0.5 - (n - low) / span if span else 0.0 for n in lengths]
    expected = [value if c else min(0.0, value) for value, c in zip(earned, right, strict=True)]
    assert rewards(call("score/kimi_length", *members(lengths, right))) == pytest.approx(expected, abs=1e-9)


def test_alps_published_value(call: Any) -> None:
    results = call("score/adaptive_length", *members([1000] * 4, [True, True, True, False]), **ALP)
    assert rewards(results) == pytest.approx([-0.00916] * 4, abs=5e-6)


def test_length_is_cheapest_where_nobody_or_one_solves_the_prompt(call: Any) -> None:
    unsolved = call("score/adaptive_length", *members([8192.0] * 4, [False] * 4), **ALP)
    once = call("score/adaptive_length", *members([8192.0] * 4, [True, False, False, False]), **ALP)
    solved = call("score/adaptive_length", *members([8192.0] * 4, [True] * 4), **ALP)
    assert rewards(unsolved) == rewards(once) == pytest.approx([-0.025] * 4)
    assert rewards(solved) == pytest.approx([-0.1] * 4)


@pytest.mark.parametrize(("name", "params", "alone"), [("kimi_length", {}, 0.0), ("adaptive_length", ALP, -0.1)])
def test_groups_are_apart_and_one_alone_says_so(call: Any, name: str, params: dict[str, float], alone: float) -> None:
    pair = members([10, 20], [True, True])
    *both, single = call(f"score/{name}", *pair, *members([8192.0], [False], "q"), **params)
    assert rewards(both) == rewards(call(f"score/{name}", *pair, **params))
    assert (single["reward"], single["details"]["single"]) == (pytest.approx(alone), True)
    assert [result["details"]["single"] for result in both] == [None, None]


@pytest.mark.parametrize(("name", "params"), [("kimi_length", {}), ("adaptive_length", ALP)])
def test_words_are_counted_where_no_length_is_given_and_neither_is_an_error(
    call: Any, name: str, params: dict[str, float]
) -> None:
    spoken = [{"response": text, "correct": True, "group": "p"} for text in ("a b", "a b c")]
    *fine, lost = call(f"score/{name}", *spoken, {"correct": True, "group": "p"}, **params)
    assert rewards(fine) == rewards(call(f"score/{name}", *members([2, 3], [True, True]), **params))
    assert lost["error"]["param"] == "length"
