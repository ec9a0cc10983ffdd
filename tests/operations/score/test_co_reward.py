"""score/co_reward."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.score.co_reward import boxed_answer, normal_form

PATH = "score/co_reward"
answers = st.lists(st.sampled_from(["", "1", "2", "3"]), min_size=1, max_size=6)


def boxed(*values: str) -> list[str]:
    return [f"So it is \\boxed{{{value}}}." if value else "I do not know." for value in values]


def test_each_side_is_graded_by_the_others_majority(call: Any) -> None:
    [result] = call(PATH, {"uid": "q1", "original": boxed("4", "4", "5", ""), "augmented": boxed("5", "5", "4", "5")})
    assert result["details"]["labels"] == {"original": "5", "augmented": "4"}
    assert result["details"]["original"] == [0.0, 0.0, 1.0, 0.0]
    assert result["details"]["augmented"] == [0.0, 0.0, 1.0, 0.0]
    assert result["rewards"] == [0.0, 0.0, 1.0, 0.0] * 2
    assert result["details"]["agreement"] == 0.25


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\\boxed{1} then \\boxed{2}", "2"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{{a}{b}}", "{a}{b}"),
        ("\\boxed{open", ""),
        ("no box", ""),
        ("\\boxed{}", ""),
        ("\\boxed{ 4 }", " 4 "),
        ("So it is $\\boxed 4$, I think.", "4"),
        ("So it is \\boxed 4", "4"),
        ("\\boxed{3}, no: $\\boxed 4$", "4"),
        ("$\\boxed 4$, no: \\boxed{3}", "4"),
        ("\\boxed4", ""),
        ("\\boxed", ""),
    ],
)
def test_the_answer_is_what_the_last_box_holds(text: str, answer: str) -> None:
    assert boxed_answer(text) == answer


def test_ties_go_to_the_answer_seen_first(call: Any) -> None:
    [result] = call(PATH, {"original": boxed("2", "1", "1", "2"), "augmented": boxed("1", "2", "2", "2")})
    assert result["details"]["labels"]["augmented"] == "2"


def test_without_any_answer_there_is_no_signal(call: Any) -> None:
    [result] = call(PATH, {"original": boxed("", ""), "augmented": boxed("", "")})
    assert result["rewards"] == [0.0] * 4


def test_a_blank_box_is_no_answer(call: Any) -> None:
    blank, four = ["\\boxed{ }"] * 3, ["\\boxed{4}"] * 3
    apart, mixed = call(
        PATH, {"original": blank, "augmented": four}, {"original": blank + four, "augmented": blank + four}
    )
    assert apart["details"]["labels"] == {"original": "4", "augmented": ""}
    assert apart["rewards"] == [0.0] * 6
    assert mixed["details"]["labels"] == {"original": "4", "augmented": "4"}
    assert mixed["rewards"] == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0] * 2
    [extracted] = call(PATH, {"original": [" ", "4"], "augmented": ["\n", "4"]}, extracted=True)
    assert extracted["rewards"] == [0.0, 1.0] * 2


def test_a_box_without_braces_is_an_answer(call: Any) -> None:
    [result] = call(PATH, {"original": ["$\\boxed 4$"], "augmented": ["\\boxed{4}"]})
    assert result["rewards"] == [1.0, 1.0]


def test_strings_are_compared_exactly_unless_they_are_normalised(call: Any) -> None:
    item = {"original": boxed("1/2", "0.50"), "augmented": boxed("0.5", "\\frac{1}{2}")}
    assert sum(call(PATH, item)[0]["rewards"]) == 0.0
    assert sum(call(PATH, item, normalise=True)[0]["rewards"]) == 4.0


@pytest.mark.parametrize(
    ("one", "other"),
    [("0.5", "1/2"), ("1,000", "1000"), ("\\dfrac{3}{6}", ".5"), (" Yes ", "yes"), ("$7$", "7"), ("+2.0", "2")],
)
def test_equal_answers_have_one_form(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize("text", ["1/0", "1e999999999", "x/2", "--1"])
def test_what_is_no_plain_number_stays_a_text(text: str) -> None:
    assert normal_form(text) == text


def test_extracted_answers_need_no_box(call: Any) -> None:
    [result] = call(PATH, {"original": ["4", "5"], "augmented": ["4", "4"]}, extracted=True)
    assert result["rewards"] == [1.0, 0.0, 1.0, 1.0]


def test_sides_of_unequal_size_are_the_items_error(call: Any) -> None:
    bad, empty = call(PATH, {"original": boxed("1"), "augmented": []}, {"original": [], "augmented": []})
    assert "as many" in bad["error"]["message"]
    assert empty["rewards"] == []


@given(answers, st.randoms())
@settings(max_examples=50, deadline=None)
def test_swapping_the_sides_swaps_the_rewards_and_a_collapse_earns_all(call: Any, ours: list[str], random: Any) -> None:
    theirs = ours[:]
    random.shuffle(theirs)
    n = len(ours)
    one, other, collapsed = call(
        PATH,
        {"original": boxed(*ours), "augmented": boxed(*theirs)},
        {"original": boxed(*theirs), "augmented": boxed(*ours)},
        {"original": boxed(*["1"] * n), "augmented": boxed(*["1"] * n)},
    )
    assert one["rewards"] == other["rewards"][n:] + other["rewards"][:n]
    assert set(one["rewards"]) <= {0.0, 1.0}
    assert collapsed["rewards"] == [1.0] * (2 * n)
