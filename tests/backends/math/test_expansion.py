"""backends/math/expansion.py: expressions that are equal, by multiplying them out."""

import pytest
from reward_gateway.backends.math.expansion import are_equal_multiplied_out
from reward_gateway.backends.math.parsing import read_expression

EQUAL = [
    ("(x+1)^2", "x^2+2x+1"),
    (r"\sin 2x", r"2\sin x\cos x"),
    (r"\cos 2x", r"1-2\sin^2 x"),
    (r"\cos^2 x-\sin^2 x", r"\cos 2x"),
    (r"\sin^2 x+\cos^2 x", "1"),
    ("e^{x+1}", r"e\cdot e^x"),
    (r"2^{x+1}", r"2\cdot 2^x"),
    (r"\ln\frac{x}{2}", r"\ln x-\ln 2"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
    (r"\sum_{k=1}^{n} k^2+x", r"x+\frac{n(n+1)(2n+1)}{6}"),
    ("n!", "n(n-1)!"),
    (r"\frac{(n+1)!}{n!}", "n+1"),
    (r"\binom{n}{2}", r"\frac{n(n-1)}{2}"),
    (r"\binom{n}{k}", r"\frac{n!}{k!(n-k)!}"),
]
NOT_KNOWN = [
    ("x", "x+1"),
    (r"\sqrt{x^2}", "x"),
    (r"\ln(x^2)", r"2\ln x"),
    (r"\frac{\sin x}{\cos x}", r"\tan x"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n-1)}{2}"),
    (r"\sum_{k=0}^{n} 2^k", "2^{n+1}-1"),
    ("n!", "(n+1)!"),
]
TOO_LARGE = [
    ("(x+y)^{9}(x+y)", "(x+y)^{10}"),
    (r"\sin 100x", r"2\sin 50x\cos 50x"),
    ("+".join(["(x+1)(y+1)"] * 20), "20(x+1)(y+1)"),
]


def equal(one: str, other: str) -> bool:
    return are_equal_multiplied_out(read_expression(one)[0], read_expression(other)[0])


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_what_is_equal_once_it_is_multiplied_out_is_equal(one: str, other: str) -> None:
    assert equal(one, other)
    assert equal(other, one)


@pytest.mark.parametrize(("one", "other"), NOT_KNOWN)
def test_nothing_is_said_of_the_rest(one: str, other: str) -> None:
    assert not equal(one, other)


@pytest.mark.parametrize(("one", "other"), TOO_LARGE)
def test_what_would_grow_is_not_multiplied_out(one: str, other: str) -> None:
    assert not equal(one, other)
