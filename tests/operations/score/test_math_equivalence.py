"""score/math_equivalence: what is asked of the checker, and what its verdicts become."""

from typing import Any

import pytest
from reward_gateway.operations.apply import run_here
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import CompareMath
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid

TOO_HARD = Invalid("operation_error", "too hard")


def asked(response: str, reference: str) -> CompareMath:
    operation = catalog().get("score", "math_equivalence")
    assert operation is not None
    columns = Columns(1, {"response": [response], "reference": [reference]})
    steps = run_here(operation, columns, operation.params.model_validate({}))
    need = next(steps)
    assert isinstance(need, CompareMath)
    return need


@pytest.mark.parametrize(
    ("response", "given"),
    [
        (r"<think>\boxed{1}</think> so \boxed{\sqrt{2}}.", r"\sqrt{2}"),
        (r"<answer>\sqrt2</answer>", r"\sqrt2"),
        ("<think>7</think> The answer is sqrt(2).", r"\sqrt{2}"),
        ("<answer>√2</answer>", r"\sqrt{2}"),
    ],
)
def test_the_answer_alone_is_compared_in_one_notation(response: str, given: str) -> None:
    assert asked(response, "sin pi/2").pairs == [(r"\sin \pi /2", given)]


def test_what_is_plain_is_answered_without_asking(call: Any) -> None:
    items = [
        {"response": r"\boxed{ \pi }", "reference": r"\boxed{\pi}"},
        {"response": " ", "reference": "4"},
        {"response": "The answer is 1,000.", "reference": "1000"},
        {"response": r"\boxed{5 \text{ or } 6}", "reference": "5"},
        {"response": r"\boxed{no solution}", "reference": r"\text{no solution}"},
        {"response": "It is 72", "reference": "A worked solution.\n#### 72"},
    ]
    results = call("score/math_equivalence", *items)
    assert [result["reward"] for result in results] == [1.0, 0.0, 1.0, 0.0, 1.0, 1.0]
    assert [result["details"]["by"] for result in results] == ["exact", None, "exact", "symbolic", "text", "exact"]
    assert results[3]["details"]["several_answers"] is True


def test_verdicts_become_rewards_and_failures_stay_failures(call: Any) -> None:
    items = [{"response": f"e^{i}", "reference": "e^x"} for i in range(3)]
    verdicts = [(True, "symbolic"), (False, "numeric"), TOO_HARD]
    right, wrong, hard = call("score/math_equivalence", *items, answers=[verdicts])
    assert (right["reward"], wrong["reward"]) == (1.0, 0.0)
    assert (right["details"]["by"], wrong["details"]["by"]) == ("symbolic", "numeric")
    assert hard["error"]["code"] == "operation_error"
    (forgiven,) = call("score/math_equivalence", items[0], answers=[[TOO_HARD]], too_hard="wrong")
    assert forgiven["reward"] == 0.0


def test_the_tolerance_goes_along_with_the_question() -> None:
    operation = catalog().get("score", "math_equivalence")
    assert operation is not None
    columns = Columns(1, {"response": ["1.41421"], "reference": [r"\sqrt{2}"]})
    params = operation.params.model_validate({"strict": True, "rel_tol": 0.1, "min_digits": 3, "timeout_s": 1.0})
    need = next(run_here(operation, columns, params))
    assert need == CompareMath([(r"\sqrt{2}", "1.41421")], 0.1, 3, True, 1.0)


@pytest.mark.parametrize("reference", ["", " ", "1" * 5001])
def test_a_reference_that_holds_nothing_or_too_much_is_an_error(call: Any, reference: str) -> None:
    (result,) = call("score/math_equivalence", {"response": "1", "reference": reference})
    assert result["error"]["param"] == "reference"
