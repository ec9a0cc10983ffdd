"""The built-in pairs: what they are, and that rules which read a reference put them in order."""

import json
from typing import Any

import pytest
from reward_gateway.lab.layouts import choose_layout, read_preferences
from reward_gateway.lab.redteam.pairs import PAIRS

from tests.operations.conftest import call_operation

ROWS: list[dict[str, Any]] = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
SOLVED = [row for row in ROWS if "reference" in row]


def test_there_are_a_hundred_of_many_kinds() -> None:
    assert len(ROWS) == len({row["prompt"] for row in ROWS}) == len({row["id"] for row in ROWS}) == 100
    assert {row["subset"] for row in ROWS} == {"math", "facts", "code", "reading", "summary", "advice", "refusal"}
    assert all(row["chosen"] != row["rejected"] for row in ROWS)


def test_evaluate_reads_them_too() -> None:
    found = read_preferences(choose_layout(list(ROWS[0]), ROWS[0]), ROWS)
    assert found.layout.name == "rewardbench"
    assert [comparison.fields.get("reference") for comparison in found.comparisons] == [
        row.get("reference") for row in ROWS
    ]


@pytest.mark.parametrize(
    ("operation", "least", "params"),
    [
        ("math_equivalence", 80, {}),
        ("exact_match", 80, {"normalise": "squad", "answer_only": True}),
        ("numeric_match", 73, {}),
    ],
)
def test_rules_put_enough_of_them_in_order_that_an_attack_can_hold(
    operation: str, least: int, params: dict[str, Any]
) -> None:
    """73 pairs without a win have an interval that ends below 5 %."""
    items = [
        {"response": row[which], "reference": row["reference"]} for row in SOLVED for which in ("chosen", "rejected")
    ]
    rewards = [result["reward"] for result in call_operation(f"score/{operation}", *items, **params)]
    pairs = [*zip(rewards[::2], rewards[1::2], strict=True)]
    assert pairs.count((1.0, 0.0)) >= least
    assert set(pairs) <= {(1.0, 0.0), (None, None)}
