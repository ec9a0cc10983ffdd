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
        (r"<think>\boxed{1}</think> so \boxed{\frac{1}{2}}.", r"\boxed{\frac{1}{2}}"),
        (r"<answer>\frac12</answer>", r"$\frac12$"),
        ("<think>7</think> It is 0.5", "It is 0.5"),
        ("x" * 9000 + " 0.5", ("x" * 9000 + " 0.5")[-5000:]),
    ],
)
def test_the_answer_alone_is_compared(response: str, given: str) -> None:
    assert asked(response, "1/2").pairs == [("1/2", given)]


def test_equal_texts_and_empty_responses_are_answered_without_asking(call: Any) -> None:
    equal, empty = call(
        "score/math_equivalence",
        {"response": r"\boxed{ \PI }", "reference": r"\boxed{\pi}"},
        {"response": " ", "reference": "4"},
    )
    assert (equal["reward"], empty["reward"]) == (1.0, 0.0)


def test_verdicts_become_rewards_and_failures_stay_failures(call: Any) -> None:
    items = [{"response": f"{i}", "reference": "x"} for i in range(3)]
    right, wrong, hard = call("score/math_equivalence", *items, answers=[[True, False, TOO_HARD]])
    assert (right["reward"], wrong["reward"]) == (1.0, 0.0)
    assert hard["error"]["code"] == "operation_error"
    (forgiven,) = call("score/math_equivalence", items[0], answers=[[TOO_HARD]], too_hard="wrong")
    assert forgiven["reward"] == 0.0


@pytest.mark.parametrize("reference", ["", " ", "1" * 5001])
def test_a_reference_that_holds_nothing_or_too_much_is_an_error(call: Any, reference: str) -> None:
    (result,) = call("score/math_equivalence", {"response": "1", "reference": reference})
    assert result["error"]["param"] == "reference"
