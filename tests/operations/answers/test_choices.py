"""operations/answers/choices.py: the letters that a response commits to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.answers.choices import find_letters, find_word

OPTIONS = "ABCDEFGHIJ"


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("B", "B"),
        ("(c)", "C"),
        ("b) because", "B"),
        ("The answer is (D). I considered A.", "D"),
        ("Answer: **A**", "A"),
        ("I think C", "C"),
        (r"A or B? \boxed{B}", "B"),
        (r"\boxed{\frac{E}{B}} so the answer is C", "C"),
        (r"\boxed{\textbf{(C)}\ 5}", "C"),
        ("It is C, not B", "C"),
        ("C is wrong, so B", "B"),
        ("A is the answer", "A"),
        ("La respuesta correcta es C.", "C"),
        ("Ответ: C", "C"),
        ("故选Ｃ。", "C"),
        ("正答はBです", "B"),
        ("정답: C", "C"),
        ("<answer>B</answer> The answer is C", "B"),
        ("C\n\nExplanation: A is too small", "C"),
        ("The answer is C or D", "CD"),
        (r"\boxed{AC}", "AC"),
        ("Answer: A, B and D", "ABD"),
        ("A dog barks.", None),
        ("I don't know.", None),
        ("Vitamin C is essential", None),
        ("Definitely not C.", None),
        ("The answer is not C", None),
        ("anything but C", None),
        ("", None),
    ],
)
def test_a_choice_is_what_the_response_commits_to(text: str, letters: str | None) -> None:
    assert find_letters(text, OPTIONS) == (None if letters is None else frozenset(letters))


def test_the_text_of_an_option_stands_for_its_letter() -> None:
    cities = ["Paris", "New York"]
    for text in ("new york", r"\boxed{New York}", "The answer is New York.", "I considered Paris.\nNew York", "B"):
        assert find_letters(text, "AB", cities) == frozenset("B")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("True", "true"),
        (r"\boxed{\text{No}}", "false"),
        ("The answer is yes.", "true"),
        ("<answer>false</answer>", "false"),
        ("The answer is not true", None),
        ("yes and no", None),
        ("maybe", None),
    ],
)
def test_true_and_false_are_a_choice_too(text: str, word: str | None) -> None:
    assert find_word(text) == word


@pytest.mark.parametrize("text", ["AorA", "B is not right", "A is wrong"])
def test_a_text_that_names_no_option_or_takes_it_back_has_none(text: str) -> None:
    assert find_letters(text, "ABCD") is None


@given(st.text(alphabet="ABCD abcd()[]{}.,:;*$\\\n'’答案是not answer"))
def test_any_text_gives_options_or_nothing(text: str) -> None:
    letters = find_letters(text, "ABCD")
    assert letters is None or (letters and letters <= set("ABCD"))
