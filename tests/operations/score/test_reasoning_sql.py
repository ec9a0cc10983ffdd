"""score/reasoning_sql (2503.23157)."""

from typing import Any

import pytest
from reward_gateway.operations.sql import is_ordered, schema_items

OP = "score/reasoning_sql"
GOLD = "SELECT name FROM singer WHERE age > 30"
PRED = "SELECT name FROM singer WHERE age > 20"
WRONG = {
    "pred_sql": PRED,
    "gold_sql": GOLD,
    "pred_rows": [["a"], ["b"]],
    "gold_rows": [["a"]],
    "judge": 0.5,
    "format_ok": True,
}
RIGHT = {**WRONG, "pred_sql": GOLD, "pred_rows": [["a"]]}


def test_the_worked_examples(call: Any) -> None:
    wrong, right = call(OP, WRONG, RIGHT)
    assert wrong["reward"] == pytest.approx(4.75)
    assert wrong["details"]["ngram"] == 0.75
    assert wrong["details"]["exec"] == 0
    assert right["reward"] == 7
    assert right["details"]["judge"] == 0


def test_rows_are_multisets_unless_the_gold_query_orders_them(call: Any) -> None:
    rows = {"pred_rows": [[1, "x"], [2, None]], "gold_rows": [[2, None], [1.0, "x"]]}
    free, ordered, doubled = call(
        OP,
        {**RIGHT, **rows},
        {**RIGHT, **rows, "gold_sql": GOLD + " ORDER BY age"},
        {**RIGHT, "pred_rows": [["a"], ["a"]]},
    )
    assert free["details"]["exec"] == 1
    assert ordered["details"]["exec"] == 0
    assert doubled["details"]["exec"] == 0


def test_a_query_that_failed_is_null_and_loses_syntax(call: Any) -> None:
    pred, gold, absent = call(
        OP, {**WRONG, "pred_rows": None}, {**WRONG, "gold_rows": None}, {"pred_sql": "a", "gold_sql": "b"}
    )
    assert (pred["details"]["exec"], pred["details"]["syntax"]) == (0, 0)
    assert (gold["error"]["code"], gold["error"]["param"]) == ("invalid_field", "gold_rows")
    assert absent["error"]["code"] == "invalid_field"


def test_empty_sets_are_equal_and_given_schemas_are_used(call: Any) -> None:
    empty, given = call(
        OP,
        {**WRONG, "pred_sql": "", "gold_sql": "", "pred_schema": [], "gold_schema": []},
        {**WRONG, "pred_schema": ["Singer", "name"], "gold_schema": ["singer", "age"]},
    )
    assert (empty["details"]["schema"], empty["details"]["ngram"]) == (1, 1)
    assert given["details"]["schema"] == pytest.approx(1 / 3)


def test_the_judge_is_asked_only_about_wrong_queries_and_may_fail(call: Any) -> None:
    bare = {key: value for key, value in WRONG.items() if key != "judge"}
    right, wrong, failed = call(
        OP, {**bare, "pred_rows": [["a"]]}, bare, bare, judge="j", answers=[['{"score": 0.75}', "no"]]
    )
    assert right["details"]["judge"] == 0
    assert wrong["details"]["judge"] == 0.75
    assert failed["details"]["judge"] == 0.2
    assert failed["details"]["flags"] == ["judge_fallback"]
    assert call(OP, {**WRONG, "judge": 1.5})[0]["error"]["param"] == "judge"


def test_queries_run_in_the_sandbox_on_a_database(call: Any) -> None:
    item = {"pred_sql": PRED, "gold_sql": GOLD, "db": "sqlite:singers", "format_ok": True}
    answers = [
        {"ok": True, "value": [["a"]]},
        {"ok": True, "value": [["a"]]},
        {"ok": False, "error": "timeout"},
        {"ok": True, "value": [["a"]]},
    ]
    answers += [
        {"ok": True, "value": [["a"]]},
        {"ok": False, "error": "OperationalError: no such table: singer"},
        {"ok": False, "error": "database: MemoryError: "},
        {"ok": True, "value": [["a"]]},
    ]
    right, late, broken, unbuilt = call(OP, item, item, item, item, answers=[answers])
    assert right["details"]["exec"] == 1
    assert late["details"]["syntax"] == 0
    assert late["details"]["errors"] == ["timeout", None]
    assert (broken["reward"], broken["error"]["code"], broken["error"]["param"]) == (None, "invalid_field", "gold_sql")
    assert (unbuilt["reward"], unbuilt["error"]["code"], unbuilt["error"]["param"]) == (None, "invalid_field", "db")


@pytest.mark.parametrize(
    ("output", "form"),
    [
        ("<think>x</think><answer>y</answer>", 1),
        ("<reasoning>x</reasoning>\n<answer>y</answer>", 1),
        ("<answer>y</answer>", 0),
        ("<think>x<answer>y</answer>", 0),
    ],
)
def test_the_format_is_reasoning_and_answer_in_tags(call: Any, output: str, form: int) -> None:
    item = {key: value for key, value in WRONG.items() if key != "format_ok"}
    assert call(OP, {**item, "output": output})[0]["details"]["format"] == form


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (GOLD, {"singer", "name", "age"}),
        (
            "SELECT COUNT(*) AS n, T1.Name FROM singer AS T1 JOIN song T2 ON T1.id = T2.sid WHERE T2.title = 'from x'",
            {"singer", "song", "name", "id", "sid", "title"},
        ),
        ('SELECT "Full Name", `Age` FROM [my table] -- comment', {"full name", "age", "my table"}),
        ("", set()),
    ],
)
def test_tables_and_columns_are_read_from_the_sql(query: str, names: set[str]) -> None:
    assert schema_items(query) == names


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        (GOLD, False),
        (GOLD + " order  by age", True),
        ("SELECT * FROM (SELECT a FROM b ORDER BY a)", False),
        ("SELECT * FROM (SELECT a FROM b) ORDER BY a", True),
        ("SELECT a FROM b ORDER BY (a)", True),
        ("SELECT a FROM b WHERE c = ' order by '", False),
    ],
)
def test_only_an_outer_order_by_orders(query: str, ordered: bool) -> None:
    assert is_ordered(query) is ordered
