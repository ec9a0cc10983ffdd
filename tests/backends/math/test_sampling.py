"""backends/math/sampling.py: expressions that differ, by their values."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.backends.math.parsing import read_expression
from reward_gateway.backends.math.sampling import have_same_values
from sympy import Expr, Function, Integer, Rational, Symbol, cos, exp, expand, log, sin, sqrt, tan, together

DIFFERENT = [
    ("x+1", "x+2"),
    (r"\sin 2x", r"\cos 2x"),
    (r"\sin 2x", r"2\sin x"),
    ("e^{2x}", "e^{x^2}"),
    (r"\sqrt{x^2+1}", "x+1"),
    (r"\ln x", r"\log_2 x"),
    ("|x|", "-x"),
    (r"\cot x", r"\tan x"),
    (r"\sec x", r"\csc x"),
    ("xy", "x+y"),
    ("x+a", "x+b"),
    ("x", "x+0.001"),
    (r"\sum_{k=1}^{n} k", r"\sum_{k=1}^{n} k^2"),
    (r"\sum_{k=1}^{n} k", r"\sum_{k=1}^{n-1} k"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n-1)}{2}"),
    (r"\sum_{k=0}^{n-1} a_k a_{n-k-1}", r"\sum_{k=0}^{n-2} a_k a_{n-k-2}"),
    (r"\sum_{k=1}^{10} kx", "54x"),
    ("n!", "n!+1"),
    (r"\binom{n}{2}", r"\frac{n(n+1)}{2}"),
    (r"\binom{n}{k}", r"\binom{n}{k+1}"),
    ("f(x)", "g(x)"),
    ("f(x)+1", "f(y)+1"),
]
SAME = [
    ("n!", "n(n-1)!"),
    (r"\frac{n!}{(n-2)!}", "n(n-1)"),
    (r"\binom{n}{2}", r"\frac{n(n-1)}{2}"),
    ("f(x)+f(x)", "2f(x)"),
    (r"\sin 2x", r"2\sin x\cos x"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"x^{1/3}", r"\sqrt[3]{x}"),
    (r"\ln(x^2)", r"2\ln x"),
    (r"\sqrt{x^2}", "x"),
    ("e^xe^{-x}", "1"),
    ("x", "x+10^{-6}"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
    (r"\sum_{k=0}^{n} x^k", r"\frac{x^{n+1}-1}{x-1}"),
    (r"\sum_{k=1}^{n} k", r"\sum_{j=1}^{n} j"),
    (r"\sum_{k=1}^{n} k", r"\sum_{k=2}^{n+1} (k-1)"),
]
UNKNOWN = [
    ("n!", "(n+30)!"),
    ("(n/2)!", "n"),
    ("(n-20)!", "n"),
    (r"\binom{k}{n}", "n"),
    (r"\sum_{k=1}^{n} f(k)", "f(1)"),
    (r"\sqrt{-1-x}", "x"),
    (r"\frac{x}{x-x}", "1"),
    ("10^{40}x", "x"),
    ("x=1", "x=2"),
    (r"\{x\}", r"\{y\}"),
    (r"\int_0^x t dt", "x"),
    (r"\sum_{k=1}^{\infty} x^k", "x"),
    (r"\sum_{k=n}^{1} k", "n"),
    (r"\sum_{k=1}^{1000} x^k", "x"),
    (r"\sum_{k=0}^{n/2} k", "n"),
    (r"\sum_{j=1}^{n} \sum_{k=1}^{j} k!", "n"),
]


def same(one: str, other: str) -> bool | None:
    return have_same_values(read_expression(one)[0], read_expression(other)[0])


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_expressions_whose_values_lie_apart_differ(one: str, other: str) -> None:
    assert same(one, other) is same(other, one) is False


@pytest.mark.parametrize(("one", "other"), SAME)
def test_expressions_with_the_same_values_may_be_equal(one: str, other: str) -> None:
    """They need not be: a root of x² is x for positive numbers alone, which is where they are compared."""
    assert same(one, other) is True


@pytest.mark.parametrize(("one", "other"), UNKNOWN)
def test_nothing_is_said_of_what_is_not_elementary_or_has_no_value(one: str, other: str) -> None:
    assert same(one, other) is None


def test_unknown_functions_have_values_for_symbols_alone() -> None:
    """f(x+1) is f(1+x), which their names do not tell."""
    x, f = Symbol("x", real=True), Function("f")
    assert have_same_values(f(x), f(x) + 1) is False
    assert have_same_values(f(x + 1), f(1 + x) + 1) is None


_X, _Y = Symbol("x", real=True), Symbol("y", real=True)
_LEAVES = st.one_of(
    st.sampled_from((_X, _Y)),
    st.integers(-9, 9).map(Integer),
    st.tuples(st.integers(-9, 9), st.integers(1, 9)).map(lambda pair: Rational(*pair)),
)


def _combine(parts: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda pair: pair[0] + pair[1]),
        pairs.map(lambda pair: pair[0] * pair[1]),
        pairs.map(lambda pair: pair[0] / pair[1]),
        st.tuples(parts, st.integers(-3, 3)).map(lambda pair: pair[0] ** pair[1]),
        parts.flatmap(lambda part: st.sampled_from((sin, cos, tan, exp, log, sqrt)).map(lambda name: name(part))),
    )


def _count_terms(one: Expr) -> int:
    """About how many terms an expression has in another form: powers of powers of sums take minutes to write out."""
    if one.is_Add:
        return sum(map(_count_terms, one.args))
    if one.is_Pow and one.args[1].is_Integer:
        return int(_count_terms(one.args[0]) ** abs(int(one.args[1])))
    if one.is_Function and one.args:
        return int(2 ** min(_count_terms(one.args[0]), 10))
    return math.prod(map(_count_terms, one.args))


def _is_small(one: Expr) -> bool:
    return _count_terms(one) <= 64 and all(abs(number.p) <= 81 for number in one.atoms(Rational))


EXPRESSIONS = st.recursive(_LEAVES, _combine, max_leaves=6).filter(_is_small)


@settings(max_examples=80)
@given(EXPRESSIONS)
def test_an_expression_never_differs_from_itself_in_another_form(one: Expr) -> None:
    for other in (expand(one), together(one), expand(one, trig=True)):
        assert have_same_values(one, other) is not False
