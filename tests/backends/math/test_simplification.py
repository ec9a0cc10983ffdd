"""backends/math/simplification.py: what Math-Verify compares without simplifying it, to the same verdict."""

from typing import Any

import pytest
from reward_gateway.backends.math import simplification
from reward_gateway.backends.math.comparison import compare_answers
from reward_gateway.backends.math.parsing import read_expression
from reward_gateway.backends.math.simplification import are_symbolically_equal
from sympy import Integer, Mul, Rational, UnevaluatedExpr

QUICK = [
    (r"\sin 2x", r"2\sin x\cos x", True),
    (r"\sin 2x", r"\sin x", False),
    (r"(\sin 2x, 1)", r"(2\sin x\cos x, 1)", True),
    (r"(\sin 2x, 1)", r"(\sin x, 1)", False),
    (r"y = \sin 2x", r"y = 2\sin x\cos x", True),
    (r"\sqrt{x+1}", r"\sqrt{x}+1", False),
]
SLOW = [
    (r"\frac{\sin x}{\cos x}", r"\tan x", True),
    (r"\sqrt{x^2}", "x", False),
    (r"\ln(x^2)", r"2\ln x", False),
    (r"\sum_{k=0}^{n} 2^k", "2^{n+1}-1", True),
]
UNSOLVED = [
    ("y=2x+1", "y=2x+2"),
    ("(x-1)^2+(y+2)^2=9", "(x+1)^2+(y-2)^2=9"),
    ("a=1, b=2", "a=2, b=1"),
    ("f(x)=x+1", "f(x)=x-1"),
]
SOLVED = [
    ("2x+3y=6", "4x+6y=12", True),
    (r"y=\frac{1}{2}x+3", "x-2y+6=0", True),
    ("x^2=4", "x^3=8", False),
    ("x<1", "x<2", False),
]


@pytest.mark.parametrize(("one", "other", "equal"), QUICK)
def test_what_values_or_products_tell_is_not_simplified(
    one: str, other: str, equal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    simplified: list[tuple[Any, Any]] = []
    monkeypatch.setattr(simplification, "_simplify_difference", lambda *pair: simplified.append(pair))
    assert compare_answers(one, other) == (equal, "symbolic")
    assert not simplified


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"a_n = \sum_{k=0}^{n-1} a_k b_{n-k}", r"a_n = \sum_{k=0}^{n-2} a_k b_{n-k}"),
        ("x=y+1", "x=y+2"),
        ("(x+1, y)", "(x+2, y)"),
    ],
)
def test_a_difference_of_expressions_whose_values_lie_apart_is_not_evaluated(
    one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[Any] = []
    monkeypatch.setattr(simplification, "_evaluate_difference", lambda *sides: evaluated.append(sides))
    assert compare_answers(one, other) == (False, "symbolic")
    assert not evaluated


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("(0.333333, x)", r"(\frac13, x)", True),
        ("(0.33, x)", r"(\frac13, x)", False),
    ],
)
def test_numbers_are_rounded_as_the_library_rounds_them(one: str, other: str, equal: bool) -> None:
    assert compare_answers(one, other) == (equal, "symbolic")


def test_percents_are_the_numbers_before_the_sign_as_in_the_library() -> None:
    percent = Mul(9, UnevaluatedExpr(Rational(1, 100)))
    assert simplification.are_numerically_equal(percent, Integer(9), 6, 15)
    assert not simplification.are_numerically_equal(percent, Integer(8), 6, 15)


@pytest.mark.parametrize(("one", "other"), UNSOLVED)
def test_equations_of_which_one_holds_alone_are_not_solved(
    one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved: list[Any] = []
    monkeypatch.setattr(simplification, "_solve_and_compare", lambda *sides: solved.append(sides))
    assert compare_answers(one, other) == compare_answers(other, one) == (False, "symbolic")
    assert not solved


@pytest.mark.parametrize(("one", "other", "equal"), SOLVED)
def test_other_relations_are_solved(one: str, other: str, equal: bool) -> None:
    assert compare_answers(one, other) == (equal, "symbolic")


@pytest.mark.parametrize(("one", "other", "equal"), SLOW)
def test_the_rest_is_simplified(one: str, other: str, equal: bool) -> None:
    assert compare_answers(one, other) == (equal, "symbolic")


@pytest.mark.parametrize(
    ("one", "other"), [pair[:2] for pair in QUICK + SLOW if "," not in pair[0] and "=" not in pair[0]]
)
def test_the_verdict_is_that_of_simplifying(one: str, other: str) -> None:
    pair = read_expression(one)[0], read_expression(other)[0]
    assert are_symbolically_equal(*pair) == simplification._simplify_difference(*pair)
