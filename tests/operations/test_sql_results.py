"""operations/sql_results.py: whether two results hold the same rows, and which query a text holds."""

from typing import Any

import pytest
from reward_gateway.operations.sql_results import read_query, same_rows


@pytest.mark.parametrize(
    ("given", "gold", "same"),
    [
        ([[1, "a"], [2, "b"]], [[2, "b"], [1.0, "a"]], True),
        ([[0.1 + 0.2, "a"], [0.3, "b"]], [[0.3, "a"], [0.3, "b"]], True),
        ([[0.3000001, "b"], [0.3, "a"]], [[0.3, "b"], [0.3000001, "a"]], True),
        ([[1.0, 2.0], [1.0000001, 1.0]], [[1.0, 1.0], [1.0, 2.0]], True),
        ([[0.3, "b"], [0.3, "a"]], [[0.3, "b"], [0.31, "a"]], False),
        ([[1]], [["1"]], False),
        ([[1]], [[2]], False),
        ([[10**17]], [[10**17 + 1]], False),
        ([[10**400]], [[1.5]], False),
        ([[None, 1]], [[None, 1]], True),
        ([[None]], [[0]], False),
        ([[None]], [[""]], False),
        ([[[1, 2]], [{"a": 1}]], [[{"a": 1}], [[1, 2]]], True),
        ([[1], [1]], [[1], [2]], False),
        ([[1, 2]], [[1]], False),
        ([], [], True),
        ([], [[1]], False),
    ],
)
def test_rows_are_the_same_in_any_order_and_within_a_tolerance(given: Any, gold: Any, same: bool) -> None:
    assert same_rows(given, gold, "multiset") is same
    assert same_rows(gold, given, "multiset") is same


def test_ten_thousand_rounded_rows_are_compared_in_order_of_their_texts() -> None:
    gold: list[tuple[float, str]] = [(i / 3, f"name {i % 100}") for i in range(10_000)]
    given = [(value * (1 + 1e-9), name) for value, name in reversed(gold)]
    assert same_rows(given, gold, "multiset")
    assert not same_rows([(1.0, "name 0"), *given[1:]], gold, "multiset")


@pytest.mark.parametrize("text", ["SELECT 1", "SELECT 1;", "`SELECT 1`", "It is:\nSELECT 1;\nYes."])
def test_a_query_stands_by_itself_or_begins_a_line(text: str) -> None:
    assert read_query(text).rstrip(";") == "SELECT 1"
