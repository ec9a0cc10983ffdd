"""score/roboreward and its benchmark metric (2601.00675)."""

import base64
from typing import Any

import pytest
from reward_gateway.operations.apply import apply
from reward_gateway.operations.registry import catalog
from reward_gateway.operations.score.roboreward import PROMPT
from reward_gateway.sample import Invalid

from tests.questions import first_question

OP = "score/roboreward"
FRAME = base64.b64encode(b"\x89PNG frame").decode()


def test_the_worked_example(call: Any) -> None:
    results = call(OP, *({"score": s} for s in (1, 2, 3, 4, 5)))
    assert [result["reward"] for result in results] == [0, 0.25, 0.5, 0.75, 1]
    (error,) = call("audit/mean_absolute_error", {"predicted": [5, 3, 1], "actual": [4, 3, 2]})
    assert error["reward"] == pytest.approx(0.6667, abs=1e-4)


@pytest.mark.parametrize(
    ("answer", "score"),
    [("ANSWER: 4", 4), ("answer:5", 5), ("I think.\nANSWER: 1.", 1), ("3", 3), ("4/5", 4), ('{"answer": 2}', 2)],
)
def test_the_score_is_read_from_the_answer(call: Any, answer: str, score: int) -> None:
    (result,) = call(OP, {"answer": answer})
    assert result["details"]["score"] == score
    assert result["reward"] == (score - 1) / 4


@pytest.mark.parametrize(
    ("answer", "score", "read_by"),
    [
        ("ANSWER: 4", 4, "strict"),
        ("I think. ANSWER:\n 1.", 1, "lenient"),
        ("a 2, no: a 3", 3, "lenient"),
        ("I would say 3.", 3, "lenient"),
        ("<think>a 2</think>It is (5)", 5, "lenient"),
    ],
)
def test_the_published_parser_finds_a_lone_digit_and_says_so(call: Any, answer: str, score: int, read_by: str) -> None:
    strict, lenient = call(OP, {"answer": answer})[0], call(OP, {"answer": answer}, lenient=True)[0]
    assert (strict["reward"] is None) == (read_by == "lenient")
    assert (lenient["details"]["score"], lenient["details"]["read_by"]) == (score, read_by)


@pytest.mark.parametrize("answer", ["", "ANSWER: 10", "ANSWER: 0 and 3", "no idea", "42"])
def test_an_answer_without_a_score_is_invalid_never_a_one(call: Any, answer: str) -> None:
    (result,) = call(OP, {"answer": answer})
    assert result["reward"] is None
    assert result["error"]["code"] == "invalid_field"


def test_the_judge_is_asked_with_the_published_prompt_and_two_frames_at_least() -> None:
    operation = catalog().get("score", "roboreward")
    assert operation is not None
    steps = apply(operation, [{"task": "put the cup on the plate", "frames_b64": [FRAME]}], {})
    need = first_question(steps)
    assert need.temperature == 0
    *images, text = need.conversations[0][0]["content"]
    assert len(images) == 2
    assert images[0] == images[1]
    assert images[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert text["text"].endswith(
        "\n5 - Perfect Completion: Final state satisfies all requirements.\n\nTask: put the cup on the plate"
    )
    assert text["text"].startswith(PROMPT.split("\n", 1)[0])


def test_a_judges_failure_and_an_unreadable_answer_stay_with_their_rows(call: Any) -> None:
    item = {"task": "t", "frames_b64": [FRAME, FRAME]}
    good, failed, unread, given = call(
        OP, item, item, item, {"score": 1}, answers=[["ANSWER: 3", Invalid("judge_error", "gone"), "hm"]]
    )
    assert good["reward"] == 0.5
    assert failed["error"]["code"] == unread["error"]["code"] == "judge_error"
    assert given["reward"] == 0


def test_scores_off_the_scale_and_nothing_at_all_are_errors(call: Any) -> None:
    for broken in call(OP, {"score": 6}, {"score": 2.5}, {"task": "t"}, {"task": "t", "frames_b64": ["?"]}):
        assert broken["error"]["code"] == "invalid_field"


def test_the_metric_needs_pairs(call: Any) -> None:
    for broken in call("audit/mean_absolute_error", {"predicted": [], "actual": []}, {"predicted": [1], "actual": []}):
        assert broken["error"]["code"] == "invalid_field"
