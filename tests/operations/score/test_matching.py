"""score/exact_match, contains, regex_match, numeric_match, multiple_choice."""

from typing import Any

import pytest
from reward_gateway.errors import InvalidRequest

from tests.clock import little_work


def reward(call: Any, name: str, response: str, reference: str, **params: Any) -> float | None:
    (result,) = call(f"score/{name}", {"response": response, "reference": reference}, **params)
    value: float | None = result["reward"]
    return value


@pytest.mark.parametrize(
    ("normalise", "response", "expected"),
    [
        ("none", "Paris ", 0.0),
        ("strip", "Paris ", 1.0),
        ("strip", "paris", 0.0),
        ("fold", " ＰＡＲＩＳ\n", 1.0),
        ("fold", "Paris.", 0.0),
        ("squad", "the Paris.", 1.0),
    ],
)
def test_exact_match_is_as_exact_as_asked(call: Any, normalise: str, response: str, expected: float) -> None:
    assert reward(call, "exact_match", response, "Paris", normalise=normalise) == expected


def test_exact_match_can_look_at_the_answer_only(call: Any) -> None:
    response = "<think>Lyon?</think> <answer>Paris</answer>"
    assert reward(call, "exact_match", response, "Paris") == 0.0
    assert reward(call, "exact_match", response, "Paris", answer_only=True) == 1.0


def test_an_empty_response_is_scored_and_a_missing_one_is_an_error(call: Any) -> None:
    assert reward(call, "exact_match", "", "Paris") == 0.0
    (result,) = call("score/exact_match", {"reference": "Paris"})
    assert result["error"]["param"] == "response"


def test_contains_finds_the_reference_anywhere(call: Any) -> None:
    assert reward(call, "contains", "It is PARIS, of course", "Paris") == 1.0
    assert reward(call, "contains", "It is Lyon", "Paris") == 0.0
    assert reward(call, "contains", "anything", " ") is None


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"pattern": "b.c"}, 1.0),
        ({"pattern": "b.c", "dot_all": False}, 0.0),
        ({"pattern": "B"}, 0.0),
        ({"pattern": "B", "ignore_case": True}, 1.0),
        ({"pattern": "a", "mode": "fullmatch"}, 0.0),
        ({"pattern": "a|c", "mode": "count"}, 3.0),
    ],
)
def test_a_pattern_is_searched_matched_or_counted(call: Any, params: dict[str, Any], expected: float) -> None:
    (result,) = call("score/regex_match", {"response": "aab\nc"}, **params)
    assert result["reward"] == expected


def test_a_pattern_that_is_none_refuses_the_request(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="no regular expression"):
        call("score/regex_match", {"response": "a"}, pattern="(")


def test_a_pattern_that_backtracks_without_end_is_an_error_of_its_items_in_bounded_time(call: Any) -> None:
    hostile = [{"response": "a" * 5000 + "!"}] * 50
    with little_work(3.0):
        fine, *rest = call("score/regex_match", {"response": "b"}, *hostile, pattern=r"^(a|a)*b$|^(\w+\s?)*$")
    assert fine["reward"] == 1.0
    assert {result["error"]["code"] for result in rest} == {"invalid_field"}


@pytest.mark.parametrize(
    ("response", "reference", "expected"),
    [
        ("so 1,200 in all", "1200", 1.0),
        ("0.3333", "1/3 = 0.33333", None),
        ("0.3333333", "1/3", 1.0),
        ("0.3333", "1/3", 0.0),
        ("50%", "0.5", 1.0),
        ("1234568", "1234567", 0.0),
        ("3.0", "3", 1.0),
        ("3.000001", "3", 0.0),
        ("0", "1e-10", 0.0),
        ("6.02e-24", "6.02e-23", 0.0),
        ("1.0000001e400", "1e400", 0.0),
        ("It is 72", "A worked solution.\n#### 72", 1.0),
        (r"3 then \boxed{4} of 5", "4", 1.0),
        ("none", "4", 0.0),
        ("4", "four", 1.0),
        ("4", "no number", None),
    ],
)
def test_numbers_are_compared_as_numbers(call: Any, response: str, reference: str, expected: float | None) -> None:
    assert reward(call, "numeric_match", response, reference) == expected


def test_the_tolerance_is_relative_or_absolute(call: Any) -> None:
    assert reward(call, "numeric_match", "101", "100", rel_tol=0.01) == 1.0
    assert reward(call, "numeric_match", "101.1", "100", rel_tol=0.01) == 0.0
    assert reward(call, "numeric_match", "0.4", "0", abs_tol=0.5) == 1.0


def test_a_choice_is_right_wrong_or_not_made(call: Any) -> None:
    assert reward(call, "multiple_choice", "The answer is (B)", "B") == 1.0
    assert reward(call, "multiple_choice", "The answer is (A)", "(B) 42") == 0.0
    assert reward(call, "multiple_choice", "no idea", "B") == 0.0
    assert reward(call, "multiple_choice", "B", "42") is None
    assert reward(call, "multiple_choice", "B and C", "B") == 0.0


def test_several_letters_are_an_answer_where_several_may_be_right(call: Any) -> None:
    assert reward(call, "multiple_choice", "Answer: A, C", "AC", multiple=True) == 1.0
    assert reward(call, "multiple_choice", "Answer: A", "AC", multiple=True) == 0.0
    assert reward(call, "multiple_choice", "Answer: A, B", "AC", multiple=True, partial=True) == pytest.approx(1 / 3)


def test_the_text_of_an_option_and_the_words_of_two_are_choices(call: Any) -> None:
    item = {"response": "It is Rome.\n\nRome", "reference": "B", "choices": ["Paris", "Rome"]}
    assert call("score/multiple_choice", item)[0]["reward"] == 1.0
    assert reward(call, "multiple_choice", "The answer is yes.", "True") == 1.0
    assert reward(call, "multiple_choice", "The answer is no.", "Yes") == 0.0


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("The answer is Berlin.", 1.0),
        ("The answer is Isle of Man.", 0.0),
        ("Answer: Berlin", 1.0),
        ("The answer is Lesotho.", 0.0),
        ("The correct option is Berlin", 1.0),
        ("The answer is Ber.", 0.0),
    ],
)
def test_an_options_text_may_begin_like_a_word_of_the_sentence(call: Any, response: str, expected: float) -> None:
    item = {"response": response, "reference": "C", "choices": ["Isle of Man", "Lesotho", "Berlin"]}
    assert call("score/multiple_choice", item)[0]["reward"] == expected
