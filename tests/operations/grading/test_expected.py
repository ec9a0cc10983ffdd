"""Expected grades: all grades weighed by their probabilities, at the place of the one that the strict reader reads."""

import math
from typing import Any

import pytest
from reward_gateway.operations.effects import JudgeAnswer, JudgeToken
from reward_gateway.operations.grading.expected import expect_grades, fits_expected
from reward_gateway.operations.grading.grade import Scale, read_grade
from reward_gateway.operations.grading.objects import read_keys
from reward_gateway.operations.outcome import ItemError

from tests.clock import little_work

NINE = Scale(0, 9, whole=True)
SURE: dict[str, float] = {}


def answer(*tokens: str | tuple[str, dict[str, float]], text: str | None = None) -> JudgeAnswer:
    """Words of these tokens; probabilities of alternatives where they matter."""
    pairs = [(token, SURE) if isinstance(token, str) else token for token in tokens]
    told = [JudgeToken(token, [(t, math.log(p)) for t, p in others.items()]) for token, others in pairs]
    return JudgeAnswer("".join(token for token, _ in pairs) if text is None else text, told)


def expect(given: JudgeAnswer, scale: Scale = NINE) -> float:
    return expect_grades(given, lambda text: [read_grade(text, scale)], scale)[0]


@pytest.mark.parametrize(
    ("given", "grade"),
    [
        (answer(("7", {"7": 0.75, "8": 0.25})), 7.25),
        (answer("Score:", (" 7", {" 7": 0.5, "7": 0.25, " 8": 0.25})), 7.25),
        (answer("Score: ", ("7", {"7": 0.4, "eight": 0.4, "9": 0.2})), 23 / 3),
        (answer("Score:", ("▁7", {"▁7": 0.5, "Ġ8": 0.5}), text="Score:▁7".replace("▁", " ")), 7.5),
        (answer("Step 7 fails.\n", '{"score": ', ("3", {"3": 1.0}), "}"), 3.0),
        (answer("I rate it ", ("3", {"3": 0.5, "4": 0.5}), "/", ("9", {"9": 1.0})), 3.5),
        (
            answer("<think>", ("9", {"9": 1.0}), "</think>", ("2", {"2": 1.0}), "<|im_end|>", text="<think>9</think>2"),
            2.0,
        ),
        (answer(("9", {"9": 1.0}), "\n</think>\n", ("2", {"2": 1.0}), text="2"), 2.0),
        (
            answer('{"reason": "', "", "", '", "score": ', ("5", {"5": 1.0}), "}", text='{"reason": "🙂", "score": 5}'),
            5.0,
        ),
        (answer(("7", {"7": 1.0}), ".0"), 7.0),
        (answer(("0", {"0": 0.9, "1": 0.1})), 0.1),
    ],
)
def test_grades_are_weighed_at_their_place(given: JudgeAnswer, grade: float) -> None:
    assert expect(given) == pytest.approx(grade)


def test_a_text_that_several_tokens_have_is_added_up() -> None:
    alternatives = [("7", math.log(0.25)), ("7", math.log(0.25)), ("8", math.log(0.5))]
    assert expect(JudgeAnswer("7", [JudgeToken("7", alternatives)])) == pytest.approx(7.5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (answer(("7", {"7": 0.3, "8": 0.19, "I": 0.4})), "below 0.5"),
        (answer(("7", {"10": 0.6, "7.": 0.2, "７": 0.2})), "below 0.5"),
        (answer(("7", {"7": 1.0, "8": 0.5})), "more than 1"),
        (JudgeAnswer("7", [JudgeToken("7", [("7", 3.0)])]), "are none"),
        (JudgeAnswer("7", [JudgeToken("7", [("7", math.nan)])]), "are none"),
        (JudgeAnswer("7", [JudgeToken("7", [])]), "below 0.5"),
        (answer("Score: 7"), "no token of its own"),
        (answer('{"score": 7', "}"), "no token of its own"),
        (answer(("7", {"7": 1.0}), text="8"), "not those of its answer"),
        (answer(("7", {"7": 1.0}), " or so", text="7"), "not those of its answer"),
        (answer(("7", {"7": 1.0}), ".5"), "whole"),
        (answer("I like it."), "no grade"),
        (answer("Score: ", ("7", SURE), "\nScore: ", ("7", {"7": 1.0})), "one place"),
        (answer(("0", SURE), ("7", {"7": 1.0})), "one place"),
        (JudgeAnswer("7", []), "not those of its answer"),
    ],
)
def test_a_grade_without_probabilities_of_its_own_is_none(given: JudgeAnswer, words: str) -> None:
    with pytest.raises(ItemError, match=words):
        expect(given)


def test_each_of_several_criteria_has_its_place() -> None:
    given = answer('{"a": ', ("7", {"7": 0.5, "6": 0.5}), ', "b": ', ("7", {"7": 0.5, "9": 0.5}), "}")

    def read(text: str) -> list[Any]:
        found = read_keys(text, ("a", "b"))
        return [found["a"], found["b"]]

    assert expect_grades(given, read, NINE) == pytest.approx([6.5, 8.0])


def test_grades_off_the_scale_are_not_weighed() -> None:
    given = answer(("4", {"4": 0.5, "5": 0.3, "9": 0.2}))
    assert expect(given, Scale(1, 5, whole=True)) == pytest.approx((4 * 0.5 + 5 * 0.3) / 0.8)


def test_scales_are_of_single_digits() -> None:
    assert [fits_expected(*scale) for scale in ((0, 9), (1, 5), (0, 1))] == [True] * 3
    assert [fits_expected(*scale) for scale in ((1, 10), (-1, 5), (5, 5))] == [False] * 3


def test_no_answer_takes_long() -> None:
    long = "Step 7.\n" * 20_000 + "Score: 7"
    with little_work(2.0):
        assert expect(answer(long[:-1], ("7", {"7": 1.0}))) == 7.0
