"""score/boxed_answer."""

from typing import Any

import pytest


def reward(call: Any, response: str, reference: str, **params: Any) -> float:
    (result,) = call("score/boxed_answer", {"response": response, "reference": reference}, **params)
    assert result["error"] is None
    return float(result["reward"])


def test_a_box_is_compared_with_the_reference_or_its_box(call: Any) -> None:
    assert reward(call, r"\boxed{1} so \boxed{ \pi }", r"\pi") == 1.0
    assert reward(call, r"\boxed{7}", r"thus \boxed{7}") == 1.0
    assert reward(call, "7", "7") == 0.0


def test_unless_asked_boxes_are_compared_as_texts(call: Any) -> None:
    assert reward(call, r"\boxed{\frac12}", r"\frac{1}{2}") == 0.0
    assert reward(call, r"\boxed{Yes}", "yes") == 1.0
    assert reward(call, r"\boxed{Yes}", "yes", normalise="none") == 0.0


def test_as_mathematics_boxes_are_compared_by_their_spelling(call: Any) -> None:
    assert reward(call, r"\boxed{\frac12}", r"\frac{1}{2}", mode="math") == 1.0
    assert reward(call, r"\boxed{\frac12}", r"thus \boxed{1/2}", mode="math") == 1.0
    assert reward(call, r"\boxed{Yes}", "yes", mode="math") == 0.0
    assert reward(call, r"\frac12", r"\frac12", mode="math") == 0.0


@pytest.mark.parametrize("response", [r"So $\boxed 4$, I think.", r"So \boxed 4", r"\boxed {4}"])
def test_as_mathematics_a_box_needs_no_braces(call: Any, response: str) -> None:
    (result,) = call("score/boxed_answer", {"response": response, "reference": r"$\boxed 4$"}, mode="math")
    assert (result["reward"], result["details"]["answer"]) == (1.0, "4")
