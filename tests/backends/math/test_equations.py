"""backends/math/equations.py: equations with other solutions, by a place where one of them holds alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.backends.math.equations import differ_in_solutions
from reward_gateway.backends.math.parsing import read_expression
from sympy import Eq, Integer, Symbol, expand

OTHERS = [
    ("y=2x+1", "y=2x+2"),
    ("x=1", "y=1"),
    ("x=-1", "x=-2"),
    ("x^2+y^2=4", "x^2+y^2=5"),
    ("(x-1)^2+(y+2)^2=9", "(x+1)^2+(y-2)^2=9"),
    ("x^2+y^2=9", "x^2-y^2=9"),
    ("x(x-1)=0", "x-1=0"),
    ("f(x)=x+1", "f(x)=x-1"),
    ("f(x)=x+1", "g(x)=x+1"),
    ("y=e^x", "y=e^{-x}"),
    ("n=3k+1", "n=3k+2"),
    (r"a_n = \sum_{k=0}^{n-1} a_k b_{n-k}", r"a_n = \sum_{k=0}^{n-2} a_k b_{n-k}"),
    ("x=n!", "x=(n+1)!"),
]
MAY_BE_THE_SAME = [
    ("2x+3y=6", "4x+6y=12"),
    ("2x+4y-3=0", r"y=-\frac{1}{2}x+\frac{3}{4}"),
    (r"\frac{x^2}{4}+\frac{y^2}{9}=1", "9x^2+4y^2=36"),
    (r"\frac{(x-1)(x-2)}{x-1}=0", "x-2=0"),
    ("x=0.33333", r"x=\frac{1}{3}"),
    ("y=1000000x", "2y=2000000x"),
    ("f(x)=2(x+1)", "f(x)=2x+2"),
    ("|x|=2", "x^2=4"),
    ("y=\\sqrt{x}", "y^2=x"),
    ("x^2=-1", "x^2=-2"),
    ("x^2+1=0", "x^2+x+1=0"),
    (r"\sum_{k=1}^{2} f(k)=x", "f(1)+f(2)=x"),
    ("f(x+1)=2", "f(1+x)=2"),
    (r"\int_0^y t dt=x", "x=1"),
    ("x<1", "x<2"),
    ("x=1", "2"),
]


def differ(one: str, other: str) -> bool:
    return differ_in_solutions(read_expression(one)[0], read_expression(other)[0])


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_equations_differ_where_one_of_them_holds_alone(one: str, other: str) -> None:
    assert differ(one, other)
    assert differ(other, one)


@pytest.mark.parametrize(("one", "other"), MAY_BE_THE_SAME)
def test_nothing_is_said_of_the_same_solutions_of_none_and_of_what_has_no_value(one: str, other: str) -> None:
    """A root is one branch of a square, and the library's solver is asked of such a pair."""
    assert not differ(one, other)
    assert not differ(other, one)


_X, _Y = Symbol("x", real=True), Symbol("y", real=True)
_COEFFICIENTS = st.integers(-9, 9)
_POLYNOMIALS = st.builds(
    lambda a, b, c, d, e: a * _X**2 + b * _X * _Y + c * _Y**2 + d * _X + e * _Y, *[_COEFFICIENTS] * 5
)


@settings(max_examples=100, deadline=None)
@given(_POLYNOMIALS, _COEFFICIENTS, st.integers(-9, 9).filter(bool), _POLYNOMIALS)
def test_multiples_and_rearrangements_of_an_equation_never_differ(
    polynomial: object, constant: int, factor: int, moved: object
) -> None:
    equation = Eq(polynomial, Integer(constant), evaluate=False)
    again = Eq(expand(factor * polynomial) + moved, expand(factor * constant + moved), evaluate=False)  # type: ignore[operator]
    assert not differ_in_solutions(equation, again)
