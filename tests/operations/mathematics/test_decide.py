"""operations/mathematics/decide.py: verdicts without computer algebra, and what is left to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.mathematics.decide import decide
from reward_gateway.operations.mathematics.decision import Decision, Question, Tolerance

from tests.plain_answers import PLAIN_NUMBERS

TOLERANCE = Tolerance()


def verdict(reference: str, response: str, tolerance: Tolerance = TOLERANCE) -> bool | None:
    """Equal or not; None if computer algebra is asked."""
    decided = decide(reference, response, tolerance)
    return decided.equal if isinstance(decided, Decision) else None


EQUAL = [
    (r"\{1,2\}", "{2, 1}"),
    ("(x+1)^2", "x^2+2x+1"),
    ("72", "72"),
    ("72", "72.0"),
    ("1,000", "1000"),
    ("0.5", "1/2"),
    ("0.5", r"50\%"),
    ("50", "50%"),
    ("5", "5 cm"),
    (r"5\text{ inches}", "5 in"),
    ("$18", "18 dollars"),
    ("2 1/2", r"\frac{5}{2}"),
    ("5", "x = 5"),
    ("x=5", "5"),
    ("7", "3 + 4 = 7"),
    ("62", "a+b+c = 12+25+25 = 62"),
    ("Alice", "alice"),
    (r"\text{no solution}", "No solution."),
    ("(C)", r"\textbf{(C)}\ 5"),
    (r"\text{(B)}", "B"),
    ("abc", "bca"),
    (r"x\equiv 3 \pmod{5}", r"x \equiv 8\pmod 5"),
    (r"1, 2, \ldots, 10", r"1, 2, 3, \ldots, 10"),
    ("0.3333", "1/3"),
]
UNEQUAL = [
    ("72", "73"),
    ("1234567", "1234568"),
    ("102", "10²"),
    ("6.02e-23", "6.02e-24"),
    ("0.333", "1/3"),
    ("5", "5 or 6"),
    ("5", "6, 5"),
    ("5", "(7, 5)"),
    ("5", "not 5"),
    ("5", r"x \neq 5"),
    ("5", "between 3 and 5"),
    ("5", "1 2 3 4 5"),
    ("7", "7th"),
    ("100", "50% of 100"),
    ("10", "7*10"),
    ("0", "(x-1)(x-2)=0"),
    ("X", "x"),
    (r"\Delta", r"\delta"),
    ("Paris", "Rome"),
    ("1,2", "1,2,3"),
    (r"1, 2, \ldots, 10", "10"),
    (r"1, 2, \ldots, 10", r"1, 3, \ldots, 10"),
    (r"x\equiv 1,4\pmod 5", r"x\equiv 1,3\pmod 5"),
]
ASKED = [
    (r"\sin^2 x+\cos^2 x", "1"),
    ("1", r"x = \sin 2y + 1"),
    (r"\sqrt[3]{8}", "2"),
    ("(1, e^x)", "(1, e^y)"),
    ("x<2", r"(-\infty,\log 9)"),
    (r"30^\circ", r"\sin\frac{\pi}{6}"),
]


@pytest.mark.parametrize(("reference", "response"), EQUAL)
def test_what_is_plainly_equal_is_paid(reference: str, response: str) -> None:
    assert verdict(reference, response) is True


@pytest.mark.parametrize(("reference", "response"), UNEQUAL)
def test_what_is_plainly_another_answer_is_not(reference: str, response: str) -> None:
    assert verdict(reference, response) is False


@pytest.mark.parametrize(("reference", "response"), ASKED)
def test_the_rest_is_left_to_computer_algebra(reference: str, response: str) -> None:
    assert verdict(reference, response) is None


def test_an_inequality_is_compared_as_the_interval_that_the_other_side_is() -> None:
    assert verdict("(0, 12.5)", "0 < x < 12.5") is True
    assert verdict(r"(-\infty,1)\cup(2,\infty)", r"x<1 \text{ or } x>2") is True
    union = decide(r"(-\infty,1)\cup(2,\infty)", r"x<1 \text{ or } x>3", TOLERANCE)
    assert union == Question(r"(-\infty,1)\cup(2,\infty)", r"(-\infty,1)\cup (3,\infty)")


def test_several_answers_are_told() -> None:
    several = decide("5", "5 or 6", TOLERANCE)
    assert isinstance(several, Decision)
    assert several.several


def test_how_a_verdict_was_reached_is_told() -> None:
    pairs = {("72", "72"): "exact", ("1/2", "0.5"): "rational", ("0.3333", "1/3"): "numeric", ("Rome", "rome"): "text"}
    for (reference, response), by in pairs.items():
        decided = decide(reference, response, TOLERANCE)
        assert isinstance(decided, Decision)
        assert decided.by == by


def test_a_decimal_is_an_exact_value_to_the_digits_that_it_shows() -> None:
    assert verdict("1/3", "0.33333") is True
    assert verdict("1/3", "0.33334") is False
    assert verdict("2/3", "0.6667") is True
    assert verdict("2/3", "0.6666") is True
    assert verdict("2/3", "0.6668") is False
    assert verdict("1/3", "0.333", Tolerance(min_digits=3)) is True
    assert verdict("1/3", "0.33333", Tolerance(strict=True)) is False
    assert verdict("1/2", "0.5", Tolerance(strict=True)) is True


def test_decimals_are_equal_within_the_tolerance() -> None:
    assert verdict("3.14159265", "3.14159266") is True
    assert verdict("3.1415", "3.1416") is False
    assert verdict("3.1415", "3.1416", Tolerance(rel_tol=1e-4)) is True


@given(st.integers(), st.integers())
def test_whole_numbers_are_equal_if_they_are_the_same(one: int, other: int) -> None:
    assert verdict(str(one), str(other)) is (one == other)


@given(st.text(min_size=1, max_size=40))
def test_any_text_equals_itself(text: str) -> None:
    assert verdict(text, text) is True


@given(PLAIN_NUMBERS, PLAIN_NUMBERS, st.sampled_from(("", "%", r"\%")), st.booleans())
def test_plain_numbers_are_decided_at_once_as_they_are_by_all_rules(
    reference: str, response: str, percent: str, strict: bool
) -> None:
    """By spaces around it, a number is led through all rules."""
    tolerance = Tolerance(strict=strict)
    by_all_rules = decide(f" {reference} ", f" {response}{percent} ", tolerance)
    assert decide(reference, response + percent, tolerance) == by_all_rules


@given(PLAIN_NUMBERS, st.integers(1, 9), st.integers(0, 12))
def test_a_number_near_another_is_decided_at_once_as_it_is_by_all_rules(number: str, digit: int, places: int) -> None:
    near = f"{number}{digit}" if "." in number else f"{number.removeprefix('-')}.{'0' * places}{digit}"
    assert decide(number, near, TOLERANCE) == decide(f" {number} ", f" {near} ", TOLERANCE)


def test_a_pair_is_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a group many answers say the same."""
    first = decide("n + 1234", "1234 + n", TOLERANCE)
    monkeypatch.setattr("reward_gateway.operations.mathematics.decide.to_latex", None)
    assert decide("n + 1234", "1234 + n", TOLERANCE) == first
    assert decide("n + 1234", "1234 + n", Tolerance()) == first, "by the tolerance's value"
