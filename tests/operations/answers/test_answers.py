"""operations/answers: what counts as the answer of a response."""

from collections.abc import Callable

import pytest
from reward_gateway.operations.answers.choices import find_letters, find_word
from reward_gateway.operations.answers.final import final_answer
from reward_gateway.operations.answers.normalise import squad
from reward_gateway.operations.answers.numbers import last_number, read_number
from reward_gateway.operations.answers.sections import last_boxed, last_boxes

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
        (r"\boxed{1} and \boxed{2}", ["1", "2"]),
        (r"$\boxed{1}$, $\boxed{2}$ or $\boxed{3}$", ["1", "2", "3"]),
        (r"\boxed{1} \quad \text{and} \quad \boxed{2}", ["1", "2"]),
        (r"\boxed{1}, so \boxed{2}", ["2"]),
        (r"\boxed{1} \boxed{2}", ["2"]),
        (r"\boxed{1}, \boxed{1}", ["1"]),
        (r"\boxed{\boxed{1}}", ["1"]),
        ("no box", []),
    ],
)
def test_boxes_that_a_comma_or_a_word_joins_are_one_answer(text: str, expected: list[str]) -> None:
    assert last_boxes(text) == expected


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


def test_squad_ignores_case_articles_and_punctuation() -> None:
    assert squad("The  quick, brown Fox!") == "quick brown fox"


HOSTILE = [
    *(r"\boxed{" * 28_000, "<answer>" * 25_000, "1," * 100_000, "{" * 200_000, "A " * 100_000, "answer " * 28_000),
    *("A, " * 70_000, "not A " * 35_000, "A or " * 40_000, "not 5 or " * 20_000, r"\boxed{1}, " * 20_000),
    *("1" * 200_000, "(" * 200_000, "2^" * 100_000, "-" * 200_000, "five " * 40_000, "1 " * 100_000, "2*" * 100_000),
]
READERS: dict[str, Callable[[str], object]] = {
    "box": last_boxed,
    "boxes": last_boxes,
    "answer": final_answer,
    "number": last_number,
    "whole number": read_number,
    "choice": lambda text: find_letters(text, "ABCD"),
    "word": find_word,
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:8])
def test_hostile_texts_take_no_longer_than_honest_ones(read: str, text: str) -> None:
    with little_work(seconds=5.0):
        READERS[read](text)
