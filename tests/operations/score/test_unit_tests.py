"""score/unit_tests: the share of tests that pass."""

from typing import Any

import pytest

OP = "score/unit_tests"


def test_the_share_of_tests_or_all_of_them(call: Any) -> None:
    items = [{"passed": [True, 0, 1, None]}, {"passed": [1, 1]}]
    assert [r["reward"] for r in call(OP, *items)] == [0.5, 1]
    assert [r["reward"] for r in call(OP, *items, how="all")] == [0, 1]


def test_the_verdicts_feed_verpo(call: Any) -> None:
    (result,) = call(OP, {"passed": [1, 1, 0]})
    group = [{"turn_pass": [result["details"]["passed"]], "success": result["details"]["success"]}]
    assert call("credit/verpo", {"group": group}, alpha=1.0, sigma=0.1, delta=1e-6, beta=1.0, gamma=1.0)[0][
        "rewards"
    ] == [[0]]


def test_a_program_that_did_not_compile_passes_none(call: Any) -> None:
    (result,) = call(OP, {"passed": [1, 1], "compiled": False})
    assert result["reward"] == 0
    assert result["details"]["passed"] == [0, 0]


def test_tests_run_in_the_sandbox_one_by_one(call: Any) -> None:
    item = {"program": "def add(a, b): return a + b", "tests": ["assert add(1, 1) == 2", "assert add(1, 1) == 3"]}
    sandbox = [{"ok": True, "value": True}, {"ok": False, "error": "AssertionError"}, {"ok": True, "value": True}]
    first, second = call(OP, item, {**item, "tests": ["assert add(0, 0) == 0"]}, answers=[sandbox])
    assert first["reward"] == 0.5
    assert first["details"]["errors"] == [None, "AssertionError"]
    assert second["reward"] == 1


@pytest.mark.parametrize("item", [{}, {"passed": []}, {"program": "x = 1"}, {"program": "x = 1", "tests": []}])
def test_no_tests_is_an_error(call: Any, item: dict[str, Any]) -> None:
    assert call(OP, item)[0]["error"]["code"] == "invalid_field"
