"""score/unit_tests: the share of tests that pass."""

import json
from typing import Any

import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import RunSandboxed
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid

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


def ran(*verdicts: bool) -> dict[str, Any]:
    """What the sandbox answers for a program."""
    return {"ok": True, "value": [[ok, None if ok else "AssertionError"] for ok in verdicts]}


def test_tests_run_in_the_sandbox(call: Any) -> None:
    item = {"program": "def add(a, b): return a + b", "tests": ["assert add(1, 1) == 2", "assert add(1, 1) == 3"]}
    first, second = call(
        OP, item, {**item, "tests": ["assert add(0, 0) == 0"]}, answers=[[ran(True, False), ran(True)]]
    )
    assert first["reward"] == 0.5
    assert first["details"]["errors"] == [None, "AssertionError"]
    assert second["reward"] == 1


def asked(item: dict[str, Any], **params: Any) -> RunSandboxed:
    """What an item asks the sandbox."""
    operation = catalog().get("score", "unit_tests")
    assert operation is not None
    effect = apply(operation, [item], params).send(None)
    assert isinstance(effect, RunSandboxed)
    return effect


def test_the_program_is_read_from_the_fence_of_a_response() -> None:
    response = "<think>\n```python\nx = 0\n```\n</think>\nSo:\n```python\ndef f(): return 1\n```\nDone."
    for name in ("response", "program"):
        text = response if name == "response" else response.partition("</think>")[2]
        assert asked({name: text, "tests": ["assert f()"]}).programs == ["def f(): return 1"]


def test_tests_may_stand_in_the_reference() -> None:
    tests = ["assert f() == 1", "assert f()"]
    references: list[Any] = [tests, json.dumps(tests), {"tests": tests}, json.dumps({"tests": tests})]
    for reference in references:
        assert asked({"response": "x", "reference": reference}).inputs[0]["tests"] == tests
    assert asked({"response": "x", "reference": "assert f()"}).inputs[0]["tests"] == ["assert f()"]


def test_a_check_is_called_with_the_entry_point() -> None:
    test = "def check(candidate):\n    assert candidate(1) == 1"
    (sent,) = asked({"response": "x", "reference": {"tests": test, "entry_point": "f"}}).inputs[0]["tests"]
    scope: dict[str, Any] = {"f": lambda x: x}
    exec(sent, scope)
    with pytest.raises(AssertionError):
        exec(sent, {"f": lambda x: 0})


def test_a_response_without_a_program_has_failed_and_is_not_run(call: Any) -> None:
    item = {"response": "<think>\nI do not", "tests": ["assert f()"]}
    (result,) = call(OP, item)
    assert (result["reward"], result["details"]["unfinished_reasoning"]) == (0, True)
    assert call(OP, {"response": "```python\n```", "tests": ["assert f()"]})[0]["reward"] == 0


def test_a_remote_sandbox_is_refused_with_the_reason(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="a program could read them and give the verdict itself"):
        call(OP, {"program": "x = 1", "tests": ["assert x == 1"]}, sandbox="far")


def test_a_failure_of_the_sandbox_is_no_reward(call: Any) -> None:
    lost = Invalid("worker_lost", "the sandbox failed")
    (result,) = call(OP, {"program": "x", "tests": ["f()"]}, answers=[[lost]])
    assert (result["reward"], result["error"]["code"]) == (None, "worker_lost")


def test_a_test_that_is_no_python_is_an_error_of_the_item(call: Any) -> None:
    answer = {"ok": True, "value": [[True, None], [False, "broken test: SyntaxError: x"]]}
    (result,) = call(OP, {"program": "x", "tests": ["f()", "assert ("]}, answers=[[answer]])
    assert result["reward"] is None
    assert result["error"]["param"] == "tests[1]"


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"passed": []},
        {"program": "x = 1"},
        {"program": "x = 1", "tests": []},
        {"tests": ["f()"]},
        {"program": "x", "tests": "[1]"},
    ],
)
def test_no_tests_is_an_error(call: Any, item: dict[str, Any]) -> None:
    assert call(OP, item)[0]["error"]["code"] == "invalid_field"
