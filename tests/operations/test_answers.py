"""operations/answers.py: what counts as the answer of a response."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.answers.choices import choice
from reward_gateway.operations.answers.final import final_answer
from reward_gateway.operations.answers.normalise import squad
from reward_gateway.operations.answers.numbers import last_number
from reward_gateway.operations.answers.sections import last_boxed

from tests.clock import little_work


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"so \boxed{1}, no: \boxed{2}.", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{1} and \boxed{2", "1"),
        (r"\boxed {3}", "3"),
        (r"\fbox{4}", "4"),
        (r"\boxed 5", None),
        ("no box", None),
    ],
)
def test_the_last_box_whose_braces_balance_counts(text: str, expected: str | None) -> None:
    assert last_boxed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\boxed{1} \boxed{2}", "2"),
        ("<ANSWER>3</Answer>", "3"),
        ("<answer>1</answer> no: <answer>2", "2"),
        (r"<answer>\boxed{3}</answer> or \boxed{4}", "3"),
        ("<answer>1</answer><answer> 2 </answer>", "2"),
        (" plain ", "plain"),
    ],
)
def test_what_a_response_commits_to_stands_in_its_answer(text: str, expected: str) -> None:
    assert final_answer(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 3 to 1,234.5 dollars", 1234.5),
        ("minus -3", -3.0),
        ("−2", -2.0),
        ("x=.5", 0.5),
        ("6.02e23.", 6.02e23),
        ("1,2,3", 3.0),
        ("50%", 50.0),
        ("1e999", None),
        ("none", None),
    ],
)
def test_the_last_number_is_read_as_people_write_it(text: str, expected: float | None) -> None:
    assert last_number(text) == expected


@given(st.integers(-(10**12), 10**12))
def test_separators_do_not_change_a_number(value: int) -> None:
    assert last_number(f"It is {value:,}.") == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B", "B"),
        ("(c)", "C"),
        ("b) because", "B"),
        ("The answer is (D). I considered A.", "D"),
        ("Answer: **A**", "A"),
        ("I think C", "C"),
        (r"A or B? \boxed{B}", "B"),
        ("A dog barks.", None),
        ("I don't know.", None),
        ("", None),
    ],
)
def test_a_choice_is_a_letter_that_the_response_commits_to(text: str, expected: str | None) -> None:
    assert choice(text, "ABCD") == expected


def test_squad_ignores_case_articles_and_punctuation() -> None:
    assert squad("The  quick, brown Fox!") == "quick brown fox"


@pytest.mark.parametrize(
    "text", [r"\boxed{" * 28_000, "<answer>" * 25_000, "1," * 100_000, "{" * 200_000, "A " * 100_000]
)
def test_hostile_texts_take_no_longer_than_honest_ones(text: str) -> None:
    with little_work(seconds=5.0):
        for read in (last_boxed, final_answer, last_number, lambda t: choice(t, "ABCD")):
            read(text)
