"""audit/preference_topology and audit/bradley_terry."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH, PAIR = "audit/preference_topology", "audit/bradley_terry"
UNIT = math.pi**2 / 3
edges = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde"), st.floats(0.1, 100)).map(list), max_size=8
)


def test_variances_add_along_a_path(call: Any) -> None:
    [result] = call(PATH, {"edges": [["a", "b", 1.0], ["b", "c", 1.0]], "pairs": [["a", "c"], ["a", "b"]]})
    assert result["rewards"] == pytest.approx([6.5797, UNIT], abs=5e-5)
    assert result["details"]["mean"] == pytest.approx(1.5 * UNIT)
    assert result["details"]["max"] == pytest.approx(2 * UNIT)


def test_the_surest_path_counts(call: Any) -> None:
    edges_ = [["a", "b", 1], ["a", "b", 2], ["b", "c", 2], ["a", "c", 1]]
    [result] = call(PATH, {"edges": edges_, "pairs": [["a", "c"], ["c", "a"]]})
    assert result["rewards"] == pytest.approx([UNIT / 2, UNIT / 2])


def test_what_no_path_joins_is_null_and_reported(call: Any) -> None:
    item = {"edges": [["a", "b", 1], ["c", "d", 1]], "pairs": [["a", "c"], ["a", "b"], ["a", "nowhere"]]}
    [result] = call(PATH, item)
    assert result["rewards"] == [None, pytest.approx(UNIT), None]
    assert result["details"]["unreachable"] == [0, 2]
    assert result["details"]["mean"] == pytest.approx(UNIT)


def test_all_unreachable_has_no_mean(call: Any) -> None:
    [result] = call(PATH, {"edges": [], "pairs": [["a", "b"]]})
    assert result["rewards"] == [None]
    assert (result["details"]["mean"], result["details"]["max"]) == (None, None)


def test_all_pairs_are_asked_where_none_are_named(call: Any) -> None:
    [result] = call(PATH, {"edges": [["a", "b", 1], ["b", 7, 1]]})
    assert result["details"]["pairs"] == [["a", "b"], ["a", 7], ["b", 7]]
    assert result["rewards"] == pytest.approx([UNIT, 2 * UNIT, UNIT])


def test_a_node_is_at_no_distance_from_itself_and_its_loop_is_no_path(call: Any) -> None:
    [result] = call(PATH, {"edges": [["a", "a", 1]], "pairs": [["a", "a"]]})
    assert result["rewards"] == [0.0]


@pytest.mark.parametrize(
    "item",
    [
        {"edges": [["a", "b", 0]]},
        {"edges": [["a", "b", -1.0]]},
        {"edges": [["a", "b"]]},
        {"edges": [["a", "b", "c"]]},
        {"edges": [["a", "b", 1]], "pairs": [["a"]]},
    ],
)
def test_what_is_no_comparison_is_the_items_error(call: Any, item: dict[str, Any]) -> None:
    assert call(PATH, item)[0]["error"]["code"] == "invalid_field"


def test_a_hopeless_comparison_joins_nothing_and_a_certain_one_costs_nothing(call: Any) -> None:
    [result] = call(PATH, {"edges": [["a", "b", 1e-200], ["b", "c", 1e200]], "pairs": [["a", "b"], ["b", "c"]]})
    assert result["rewards"] == [None, 0.0]


@given(edges)
@settings(max_examples=50, deadline=None)
def test_distances_are_symmetric_obey_the_triangle_and_equal_brute_force(call: Any, graph: list[Any]) -> None:
    nodes = list("abcde")
    pairs = [[a, b] for a in nodes for b in nodes]
    [result] = call(PATH, {"edges": graph, "pairs": pairs})
    d = {(a, b): math.inf if x is None else x for (a, b), x in zip(pairs, result["rewards"], strict=True)}
    floyd = {(a, b): 0.0 if a == b else math.inf for a in nodes for b in nodes}
    for a, b, beta in graph:
        if a != b:
            floyd[a, b] = floyd[b, a] = min(floyd[a, b], UNIT / beta**2)
    for k in nodes:
        for a in nodes:
            for b in nodes:
                floyd[a, b] = min(floyd[a, b], floyd[a, k] + floyd[k, b])
    for key, expected in floyd.items():
        assert d[key] == pytest.approx(expected) or d[key] == expected


def test_two_rewards_make_a_probability_and_a_loss(call: Any) -> None:
    [result] = call(PAIR, {"chosen": 1.2, "rejected": 0.5})
    assert result["reward"] == pytest.approx(0.66819, abs=5e-6)
    assert result["details"]["nll"] == pytest.approx(0.40319, abs=5e-6)
    assert result["details"]["correct"] is True


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.01, 10))
@settings(max_examples=50, deadline=None)
def test_the_two_orders_of_a_pair_share_one(call: Any, a: float, b: float, beta: float) -> None:
    one, other = call(PAIR, {"chosen": a, "rejected": b}, {"chosen": b, "rejected": a}, beta=beta)
    assert one["reward"] + other["reward"] == pytest.approx(1.0)
    assert math.isfinite(one["details"]["nll"])
    assert one["details"]["nll"] - other["details"]["nll"] == pytest.approx(beta * (b - a), rel=1e-9, abs=1e-9)
