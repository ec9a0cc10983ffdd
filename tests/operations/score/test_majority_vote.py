"""score/majority_vote: who votes, which answers are equal, and laws of the vote."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.operations.score.majority_vote import LONGEST, MOST_DIFFERENT
from reward_gateway.sample import Invalid

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
UNEQUAL, EQUAL = (False, "symbolic"), (True, "symbolic")
MATH = {"mode": "math"}


def vote(call: Any, *answers: Any, **params: Any) -> list[Any]:
    results = call("score/majority_vote", *({"answer": answer, "group": "p"} for answer in answers), **params)
    return [result["reward"] for result in results]


def read(call: Any, *responses: str, **params: Any) -> list[Any]:
    items = [{"response": response, "group": "p"} for response in responses]
    return [result["details"].get("answer") for result in call("score/majority_vote", *items, **params)]


@pytest.mark.parametrize("mode", ["text", "math"])
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["4", "4", "5", ""], [1, 1, 0, 0]),
        ([4, 4, 5, ""], [1, 1, 0, 0]),
        ([4, "4", 5.0, ""], [1, 1, 0, 0]),
        (["", "", "", "5"], [0, 0, 0, 1]),
        (["5", "4", "4", "5"], [1, 0, 0, 1]),
        (["", " ", "\n"], [0, 0, 0]),
        (["4"], [1]),
        ([""], [0]),
    ],
)
def test_the_most_frequent_answer_gets_1(call: Any, mode: str, answers: list[Any], expected: list[float]) -> None:
    assert vote(call, *answers, mode=mode) == expected


def test_the_details_say_how_sure_the_label_is(call: Any) -> None:
    results = call("score/majority_vote", *({"answer": answer, "group": "p"} for answer in ["4", "4", "5", ""]))
    told = [result["details"] for result in results]
    assert [details["answer"] for details in told] == ["4", "4", "5", None]
    assert {(details["majority"], details["share"], details["votes"]) for details in told} == {("4", 0.5, 3)}
    (nobody,) = call("score/majority_vote", {"answer": "", "group": "p"})
    assert nobody["details"] == {"answer": None, "majority": None, "share": 0.0, "votes": 0, "single": True}


@pytest.mark.parametrize(
    ("answers", "text", "math"),
    [
        (["1/2", "0.5", "2", "2"], [0, 0, 1, 1], [1, 1, 0, 0]),
        ([r"\frac{1}{2}", "3", "1/2", ".5"], [1, 0, 0, 0], [1, 0, 1, 1]),
        ([" 4", "4 ", "4.0"], [1, 1, 0], [1, 1, 1]),
        (["Paris", "paris", "Rome"], [1, 0, 0], [1, 1, 0]),
    ],
)
def test_equal_is_what_is_spelled_alike_or_equal_as_mathematics(
    call: Any, answers: list[str], text: list[float], math: list[float]
) -> None:
    assert vote(call, *answers) == text
    assert vote(call, *answers, **MATH) == math


def test_the_answer_of_a_response_is_in_its_box_or_tag(call: Any) -> None:
    responses = [
        r"So \boxed{3}, no, \boxed{4}.",
        "<think>5</think><answer> 4 </answer>",
        r"<answer>It is \boxed{4}.</answer>",
        "The answer is 4.",
        "<think>\\boxed{4}",
        "",
    ]
    assert read(call, *responses) == ["4", "4", "4", None, None, None]
    assert read(call, *responses, **MATH) == ["4", "4", "4", "4", None, None]


def test_an_answer_that_is_given_goes_before_the_response(call: Any) -> None:
    items = [{"answer": "4", "response": r"\boxed{5}", "group": "p"}, {"response": r"\boxed{4}", "group": "p"}]
    assert [result["reward"] for result in call("score/majority_vote", *items)] == [1, 1]


def test_what_needs_computer_algebra_is_asked_for_once_per_spelling(call: Any) -> None:
    answers = [r"\pi", "3.14159", "3.14159", "7", r"\pi"]
    assert vote(call, *answers, answers=[[EQUAL]], **MATH) == [1, 1, 1, 0, 1]
    assert vote(call, *answers, answers=[[UNEQUAL]], **MATH) == [1, 0, 0, 0, 1]


def test_what_cannot_be_compared_is_no_number_and_does_not_vote(call: Any) -> None:
    late = Invalid("operation_error", "too hard")
    items = [{"answer": answer, "group": "p"} for answer in [r"\pi", "3.14159", "3.14159", "7", "7"]]
    results = call("score/majority_vote", *items, answers=[[late]], **MATH)
    assert [result["reward"] for result in results] == [0, None, None, 1, 1]
    assert results[1]["error"]["code"] == "operation_error"
    assert results[3]["details"]["share"] == pytest.approx(2 / 3)
    differs = call("score/majority_vote", *items, answers=[[late]], too_hard="wrong", **MATH)
    assert [result["reward"] for result in differs] == [0, 1, 1, 0, 0]
    ended = Invalid("deadline_exceeded", "late")
    results = call("score/majority_vote", *items, answers=[[ended]], too_hard="wrong", **MATH)
    assert [result["error"] is None for result in results] == [True, False, False, True, True]


def test_what_has_no_answer_to_read_or_no_group_leaves_the_others_alone(call: Any) -> None:
    results = call(
        "score/majority_vote",
        {"answer": "4", "group": "p"},
        {"group": "p"},
        {"answer": "5"},
        {"answer": "4", "group": "p"},
    )
    assert [result["reward"] for result in results] == [1, None, None, 1]
    assert [results[i]["error"]["param"] for i in (1, 2)] == ["answer", "group"]
    assert results[0]["details"]["share"] == 1


def test_a_group_of_too_many_answers_is_refused_where_they_are_compared(call: Any) -> None:
    many = [str(number) for number in range(MOST_DIFFERENT + 1)]
    items = [*({"answer": answer, "group": "p"} for answer in many), {"answer": "", "group": "p"}]
    results = call("score/majority_vote", *items, {"answer": "1", "group": "q"}, **MATH)
    assert {result["error"]["param"] for result in results[:-2]} == {"group"}
    assert [result["reward"] for result in results[-2:]] == [0, 1]
    assert vote(call, *many)[:2] == [1, 0]
    long = vote(call, "1" * (LONGEST + 1), "4", "4", **MATH)
    assert long == [None, 1, 1]


ANSWERS = st.lists(st.sampled_from(["", "1", "2", "3", "1/2", "0.5", "3/2", " "]), min_size=1, max_size=9)
MODES = pytest.mark.parametrize("mode", ["text", "math"])


@MODES
@given(answers=ANSWERS)
@LAWS
def test_a_reward_is_0_or_1_and_the_share_is_their_mean(call: Any, mode: str, answers: list[str]) -> None:
    results = call("score/majority_vote", *({"answer": answer, "group": "p"} for answer in answers), mode=mode)
    rewards = [result["reward"] for result in results]
    assert set(rewards) <= {0.0, 1.0}
    assert results[0]["details"]["share"] == pytest.approx(sum(rewards) / len(rewards))
    assert any(rewards) == any(answer.strip() for answer in answers)


@given(ANSWERS)
@LAWS
def test_by_text_it_is_the_first_of_the_most_counted(call: Any, answers: list[str]) -> None:
    counted = Counter(answer for answer in answers if answer.strip())
    winner = counted.most_common(1)[0][0] if counted else None
    assert vote(call, *answers) == [float(answer == winner) for answer in answers]


@MODES
@given(answers=ANSWERS, data=st.data())
@LAWS
def test_blanks_and_other_groups_change_nothing(call: Any, mode: str, answers: list[str], data: st.DataObject) -> None:
    other = data.draw(ANSWERS)
    items = [{"answer": answer, "group": "p"} for answer in [*answers, "", " "]]
    items += [{"answer": answer, "group": "q"} for answer in other]
    results = call("score/majority_vote", *items, mode=mode)
    rewards = [result["reward"] for result in results]
    assert rewards == [*vote(call, *answers, mode=mode), 0, 0, *vote(call, *other, mode=mode)]
