"""operations/mathematics/extract.py: where a response says its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.mathematics.extract import find_expression

from tests.clock import little_work


@pytest.mark.parametrize(
    ("text", "expression", "place"),
    [
        (r"so \boxed{5}", "5", "box"),
        (r"\boxed{1} no, \boxed{\frac{1}{2}}", r"\frac{1}{2}", "box"),
        (r"The answer is \boxed 5", "5", "box"),
        (r"<answer>\boxed{3}</answer>", "3", "box"),
        ("<answer>x^2+1</answer>", "x^2+1", "tag"),
        ("<answer>7</answer> no: <answer>5", "5", "tag"),
        (r"<answer>The result is $\frac{10}{2}$</answer>", r"\frac{10}{2}", "lead"),
        ("reasoning\n#### 72\nand more", "72", "mark"),
        ("The answer is 5.", "5", "lead"),
        (r"The answer is $\frac{1}{2}$, since 1 is half of 2.", r"\frac{1}{2}", "lead"),
        ("Final Answer: 5", "5", "lead"),
        ("**Answer:** 5", "5", "lead"),
        ("答案是5。", "5", "lead"),
        ("The answer is 5, I first thought 6", "5", "lead"),
        ("The answer is n^2 + 2", "n^2 + 2", "lead"),
        ("The answer is 3.5. That is all.", "3.5", "lead"),
        ("So 3 + 2 = 5", "3 + 2 = 5", "line"),
        ("It is 5, not 6", "5", "line"),
        ("We compute.\n\nTherefore $x = 5$.", "x = 5", "line"),
    ],
)
def test_the_answer_is_found_where_it_stands(text: str, expression: str, place: str) -> None:
    found = find_expression(text)
    assert found is not None
    assert (found.expression, found.place) == (expression, place)


@pytest.mark.parametrize("text", ["", "  ", "<answer></answer>", "<answer>"])
def test_nothing_said_is_no_answer(text: str) -> None:
    assert find_expression(text) is None


@given(st.text())
def test_any_text_answers_or_does_not(text: str) -> None:
    find_expression(text)


HOSTILE = [
    "answer is " * 20_000,
    "$" * 200_000,
    "5 clips, altogether, " * 10_000,
    "not 5 but 6 " * 18_000,
    "answer: " + "$n$ is " * 30_000,
    r"\(" * 100_000,
    "is " * 60_000,
    ", not " * 30_000,
    "answer to x" * 18_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:6])
def test_hostile_texts_take_no_longer_than_honest_ones(text: str) -> None:
    with little_work(2.0):
        find_expression(text)
