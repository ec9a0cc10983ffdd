"""operations/mathematics/notation.py: one notation for an answer, whatever it came in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.mathematics.notation import plain_words, strip_delimiters, to_latex

from tests.clock import little_work
from tests.plain_answers import PLAIN_NUMBERS


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "$x$",
        "$$x$$",
        r"\(x\)",
        r"\[ x \]",
        "**x**",
        "`x`",
        r"\boxed{x}",
        r"\boxed{\boxed{x}}",
        "#### x",
        "x.",
        "$x$.",
    ],
)
def test_what_stands_around_an_answer_is_left_out(text: str) -> None:
    assert strip_delimiters(text) == "x"


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("pi/2", r"\pi /2"),
        ("2π", r"2\pi"),
        ("sqrt(2)", r"\sqrt{2}"),
        ("√2", r"\sqrt{2}"),
        ("√(x+1)", r"\sqrt{x+1}"),
        ("exp(16)", "e^{16}"),
        ("2**10", "2^{10}"),
        ("x^10", "x^{10}"),
        ("x^(1/2)", "x^{1/2}"),
        ("x²", "x^{2}"),
        ("10²", "10^{2}"),
        ("x₁", "x_1"),
        ("½", r"\frac{1}{2}"),
        ("3½", r"(3+\frac{1}{2})"),
        ("2 1/2", r"(2+\frac{1}{2})"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        ("x ≤ 3", r"x \le 3"),
        ("−5", "-5"),
        ("14.0 + -1.0i", "14.0 -1.0i"),
        ("$18", "18"),
        (r"\$32,\!348", "32348"),
        (r"US\$18", "18"),
        ("£18", "18"),
        ("18€", "18"),
        ("Rs. 18", "18"),
        ("1,000", "1000"),
        (r"10\,000", "10000"),
        ("10{,}000", "10000"),
        ("1, 2", "1, 2"),
        ("0,1", "0,1"),
        ("50%", r"50\%"),
        (r"\langle 1,2\rangle", "( 1,2)"),
        (r"\begin{cases}x=1\\y=2\end{cases}", "x=1, y=2"),
        ("n(n-1)!", "n(n-1)!"),
        ("①", "①"),
    ],
)
def test_an_answer_is_written_as_latex(text: str, latex: str) -> None:
    assert to_latex(text) == latex


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Alice", "alice"),
        (r"\text{no solution}", "no solution"),
        ("April 1", "april 1"),
        ("东", "东"),
        ("x", None),
        ("x + y", None),
        ("12", None),
        (r"\pi", None),
    ],
)
def test_words_are_told_from_mathematics(text: str, words: str | None) -> None:
    assert plain_words(text) == words


@given(st.text())
def test_any_text_has_a_notation(text: str) -> None:
    to_latex(text)
    plain_words(text)


HOSTILE = [
    "sqrt(" * 1_000,
    "$" * 5_000,
    "1," * 2_500,
    "{" * 5_000,
    "^(" * 2_500,
    "**" * 2_500,
    "\\frac" * 1_000,
    "1 " * 2_500,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:6])
def test_hostile_texts_take_no_longer_than_honest_ones(text: str) -> None:
    with little_work(2.0):
        to_latex(text)
        plain_words(text)


@given(PLAIN_NUMBERS)
def test_a_plain_number_is_left_as_it_is_at_once_as_it_is_by_all_rules(text: str) -> None:
    assert to_latex(text) == to_latex(f" {text} ") == text
