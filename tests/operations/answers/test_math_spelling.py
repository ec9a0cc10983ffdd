"""operations/answers/math_spelling.py: the answers that MATH's is_equiv calls equal, and those it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.answers.math_spelling import spelled_alike

PIECES = [r"\frac", r"\sqrt", r"\text{ ", "{", "}", "1", "2", "/", "-", ".", "=", "x", " ", "\n", r"\%", r"\left("]
answers = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\frac12", r"\frac{1}{2}"),
        (r"\frac1{72}", r"\frac{1}{72}"),
        (r"\tfrac{3}{4}", r"\dfrac34"),
        ("1/2", r"\frac{1}{2}"),
        ("10/-3", r"\frac{10}{-3}"),
        ("0.5", "1/2"),
        (".5", r"\frac12"),
        (r"(.5, 1)", r"(.5,1)"),
        (r"\sqrt3", r"\sqrt{3}"),
        (r"2 \sqrt{3}", r"2\sqrt3"),
        ("x = 5", "5"),
        ("k=5", "5"),
        (r"5\text{ cm}", "5"),
        (r"50\%", "50"),
        (r"\$18", "18"),
        (r"90^\circ", r"90^{\circ}"),
        (r"\left(1, 2\right)", "(1,2)"),
        (r"10\!000", "10000"),
        ("1\n2", "12"),
        (r"\frac{1}{2}\sqrt", r"\frac{1}{2}\sqrt"),
    ],
)
def test_these_are_spelled_alike(one: str, other: str) -> None:
    assert spelled_alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.25", "1/4"),
        ("2/4", "1/2"),
        ("1,000", "1000"),
        ("Yes", "yes"),
        ("x + y = 5", "5"),
        ("a = b = 5", "5"),
        ("50%", "50"),
        ("01/2", r"\frac{1}{2}"),
        (r"1\text{ m} 2\text{ cm}", "1"),
        (r"\sqrt3\sqrt", r"\sqrt{3}\sqrt"),
        (r"\frac12\frac3", r"\frac{1}{2}\frac3"),
    ],
)
def test_these_are_not(one: str, other: str) -> None:
    assert not spelled_alike(one, other)


@given(answers, answers)
def test_every_answer_is_spelled_as_itself_and_the_order_does_not_matter(one: str, other: str) -> None:
    assert spelled_alike(one, one)
    assert spelled_alike(one, other) == spelled_alike(other, one)
