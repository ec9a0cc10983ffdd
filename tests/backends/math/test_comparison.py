"""backends/math/comparison.py: exact numbers, by the digits of each where those are sure."""

import pytest
from reward_gateway.backends.math import comparison
from reward_gateway.backends.math.comparison import compare_answers
from reward_gateway.backends.math.parsing import read_expression

SURE = [
    (r"\int_0^1 x dx", r"\frac12", True),
    (r"\int_0^1 x dx", r"\frac13", False),
    (r"\int_0^2 x^2 dx", r"\frac{8}{3}", True),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}", True),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}+10^{-20}", False),
    ("10!", "3628800", True),
    (r"\pi", r"\frac{22}{7}", False),
]
UNSURE = [
    (r"\sqrt{10^{200}+1}-10^{100}", r"\frac{1}{\sqrt{10^{200}+1}+10^{100}}", True),
    (r"\sqrt{10^{200}+1}-10^{100}", r"\sqrt{10^{200}+2}-10^{100}", False),
    (r"\sqrt{2}+10^{-30}", r"\sqrt{2}", False),
]


@pytest.mark.parametrize(("one", "other", "equal"), SURE)
def test_forty_digits_of_each_decide(one: str, other: str, equal: bool) -> None:
    assert compare_answers(one, other) == (equal, "symbolic")
    assert comparison._compare_digits(read_expression(one)[0], read_expression(other)[0]) is equal


@pytest.mark.parametrize(("one", "other", "equal"), UNSURE)
def test_digits_that_cancel_or_nearly_agree_decide_nothing(one: str, other: str, equal: bool) -> None:
    """What is left once two sides cancel is looked at in more digits, or simplified."""
    assert comparison._compare_digits(read_expression(one)[0], read_expression(other)[0]) is None
    assert compare_answers(one, other) == (equal, "symbolic")
