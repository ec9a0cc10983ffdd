"""score/basereward, score/ixc_reward and score/mm_rlhf: hosted models over chat and images."""

import base64
from typing import Any

import numpy as np
import pytest
from reward_gateway.sample import Invalid, RawScores

IMAGE = base64.b64encode(b"\xff\xd8 image").decode()
CHAT = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A cat."}]
SEEN = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}, CHAT[1]]


def raw(*values: float, **invalid: Any) -> RawScores:
    return RawScores(np.array([[v] for v in values]), "m", "3", np.zeros(len(values), bool), **invalid)


@pytest.mark.parametrize(("op", "field"), [("score/basereward", "messages"), ("score/ixc_reward", "chat")])
def test_a_chat_is_scored_with_its_images(call: Any, op: str, field: str) -> None:
    hosted, given = call(op, {field: SEEN, "images_b64": [IMAGE]}, {"score": 1.5}, answers=[raw(5.76)])
    assert hosted["reward"] == 5.76
    assert hosted["details"]["model_version"] == "3"
    assert given["reward"] == 1.5


@pytest.mark.parametrize(("op", "field"), [("score/basereward", "messages"), ("score/ixc_reward", "chat")])
def test_a_missing_image_is_an_error_never_a_text_only_score(call: Any, op: str, field: str) -> None:
    missing, unanswered, nothing, broken = call(
        op, {field: SEEN}, {field: CHAT[:1]}, {}, {field: CHAT, "images_b64": ["?"]}
    )
    for result in (missing, unanswered, nothing, broken):
        assert result["error"]["code"] == "invalid_field"


def test_text_alone_may_go_to_a_text_model(call: Any) -> None:
    items = [{"messages": SEEN, "images_b64": [IMAGE]}, {"prompt": "Hi", "response": "Hello"}]
    seen, read = call("score/basereward", *items, answers=[raw(1.0), raw(2.0)], text_model="text")
    assert (seen["reward"], read["reward"]) == (1.0, 2.0)


def test_a_models_failure_stays_with_its_row(call: Any) -> None:
    items = [{"prompt": "Hi", "response": "Hello"}, {"prompt": "Hi", "response": "Bye"}]
    scores = raw(1.0, float("nan"), invalid={1: Invalid("model_error", "no")})
    good, bad = call("score/basereward", *items, answers=[scores])
    assert good["reward"] == 1.0
    assert bad["error"]["code"] == "model_error"


def test_no_number_is_taken_of_a_model_that_gives_several(call: Any) -> None:
    labels = RawScores(np.array([[0.2, 0.8]]), "sentiment", "1", np.zeros(1, bool))
    (result,) = call("score/basereward", {"prompt": "Hi", "response": "Hello"}, answers=[labels])
    assert result["error"]["code"] == "model_error"
    assert "gives 2 numbers" in result["error"]["message"]


ANSWER = {"question": "What is it?", "image_b64": IMAGE, "response": "A cat."}


def test_critiques_are_written_scored_and_averaged(call: Any) -> None:
    (result,) = call("score/mm_rlhf", ANSWER, num_critic=2, answers=[["Right.", "Short."], raw(1.0, 2.0)])
    assert result["reward"] == 1.5
    assert result["details"]["scores"] == [1.0, 2.0]
    assert result["details"]["critique"] == "Right.\n\nShort."


def test_a_critique_or_its_scores_may_be_given(call: Any) -> None:
    critique, scores, empty, blind = call(
        "score/mm_rlhf",
        {**ANSWER, "critique": "Right."},
        {"scores": [0.5, 1.5]},
        {"scores": []},
        {"question": "What?", "response": "A cat."},
        answers=[raw(3.0)],
    )
    assert (critique["reward"], scores["reward"]) == (3.0, 1.0)
    assert empty["error"]["code"] == blind["error"]["code"] == "invalid_field"


def test_a_critique_that_could_not_be_had_is_an_error(call: Any) -> None:
    gone, fine = call("score/mm_rlhf", ANSWER, ANSWER, answers=[[Invalid("judge_error", "gone"), "ok"], raw(1.0)])
    assert gone["error"]["code"] == "judge_error"
    assert fine["reward"] == 1.0


def test_accuracy_by_pair_and_by_question(call: Any) -> None:
    pairs = [{"id": "a", "margin": 1}, {"id": "a", "margin": -1}, {"id": "b", "margin": 2}, {"margin": 0}]
    result, none = call("audit/pair_accuracy", {"pairs": pairs}, {"pairs": []})
    assert result["reward"] == 0.5
    assert result["details"]["accuracy_plus"] == pytest.approx(1 / 3)
    assert none["error"]["code"] == "invalid_field"
