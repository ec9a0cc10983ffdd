"""operations/answers/numbers.py: numbers as people and models write them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.answers.numbers import Number, is_plain, last_number, read_number

from tests.plain_answers import PLAIN_NUMBERS

WHOLE: dict[str, int | Fraction] = {
    "10^3": 1000,
    r"1.5 \times 10^{3}": 1500,
    "1.5×10³": 1500,
    "6.02e-23": Fraction("6.02e-23"),
    "1,000": 1000,
    "1 000": 1000,
    "1_000": 1000,
    r"10\,000": 10_000,
    "10{,}000": 10_000,
    r"\$32,\!348": 32_348,
    "1,000,000.5": Fraction(2_000_001, 2),
    r"\frac{3}{4}": Fraction(3, 4),
    r"\frac12": Fraction(1, 2),
    r"\dfrac{-1}{2}": Fraction(-1, 2),
    "3½": Fraction(7, 2),
    "2 1/2": Fraction(5, 2),
    r"2\frac{1}{2}": Fraction(5, 2),
    "3 / 4": Fraction(3, 4),
    r"3 \div 4": Fraction(3, 4),
    "50% of 100": 50,
    "five": 5,
    "twenty-one": 21,
    "one hundred and five": 105,
    "2.5 million": 2_500_000,
    "１２": 12,
    "٣": 3,
    "−5": -5,
    "–5": -5,
    "+7": 7,
    "$18.90": Fraction("18.90"),
    "US$18": 18,
    "€18": 18,
    "5 cm": 5,
    "5cm": 5,
    "18 dollars": 18,
    "5 m/s^2": 5,
    r"60^\circ": 60,
    r"\text{13}": 13,
    "2**10": 1024,
    "$5$": 5,
    "5.": 5,
}
"""Text -> the number that it is."""

NONE = ["", "x", "x2", "H2O", "5 or 6", "1,5", "(1, 2)", "12:30", "2020-05-17", "7th", "9^9^9", "1/0", "v1.2.3", "3x"]


@pytest.mark.parametrize("text", WHOLE)
def test_a_number_is_read_as_it_is_written(text: str) -> None:
    assert read_number(text) == Number(Fraction(WHOLE[text]))


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_single_number_is_none(text: str) -> None:
    assert read_number(text) is None


def test_percent_means_two_numbers_and_a_root_is_a_double() -> None:
    percent = read_number("50%")
    assert percent is not None
    assert percent.readings() == (50, Fraction(1, 2))
    root = read_number(r"\sqrt{2}")
    assert root is not None
    assert root.as_double() == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 3 to 1,234.5 dollars", 1234.5),
        ("minus -3", -3.0),
        ("x=.5", 0.5),
        ("6.02e23.", 6.02e23),
        ("1,2,3", 3.0),
        ("m+n = 256+37 = 293", 293.0),
        ("It is 7*10", 70.0),
        ("5-3", 2.0),
        ("#### 7\n and the 5 others agree", 7.0),
        ("#### 7\n#### 8", 8.0),
        ("Final answer — 5", 5.0),
        ("It is 5, as of 2020-05-17 12:30", 5.0),
        ("I have five apples", 5.0),
        ("No one knows", None),
        ("The answer is x+3", None),
        ("y = 2x", None),
        ("n^2 + 2", None),
        ("a1 + a5", None),
        ("H2O", None),
        ("the 7th", None),
        ("none", None),
    ],
)
def test_the_last_number_is_that_of_the_expression_it_stands_in(text: str, expected: float | None) -> None:
    number = last_number(text)
    assert (None if number is None else number.as_double()) == expected


def test_a_number_beyond_doubles_is_read_all_the_same() -> None:
    number = last_number("1e400")
    assert number is not None
    assert number.value == 10**400
    assert number.as_double() is None


@given(st.integers(-(10**12), 10**12))
def test_separators_do_not_change_a_number(value: int) -> None:
    for text in (f"It is {value:,}.", f"It is {value:_}.", f"It is {value:,}.".replace(",", " ")):
        number = last_number(text)
        assert number is not None
        assert number.value == value


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_fractions_are_exact(numerator: int, denominator: int) -> None:
    for text in (f"{numerator}/{denominator}", rf"\frac{{{numerator}}}{{{denominator}}}"):
        assert read_number(text) == Number(Fraction(numerator, denominator))


@given(st.text())
def test_any_text_is_read_or_not(text: str) -> None:
    read_number(text)
    last_number(text)


@given(PLAIN_NUMBERS)
def test_a_plain_number_is_read_at_once_as_it_is_by_all_rules(text: str) -> None:
    assert is_plain(text)
    spaced = f" {text} "
    assert not is_plain(spaced), "the space leads through all rules, which leave it out"
    assert read_number(text) == read_number(spaced)


@pytest.mark.parametrize(
    "text",
    ["", "-", "+5", ".5", "5.", "1,000", "1/0", "3/04", "1 1/2", r"\frac12", "٤", "5\n", "1e5", "50%", "9" * 100],
)
def test_what_a_rule_may_read_otherwise_is_not_plain(text: str) -> None:
    assert not is_plain(text)
