"""score/pisces (2602.01624)."""

import base64
from typing import Any

import numpy as np
import pytest
from reward_gateway.sample import RawScores

OP = "score/pisces"
ITEM = {"text_cls": [1, 2, 2], "video_cls": [2, 1, 2], "vtm_logits": [0.2, 1.5]}


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, ITEM)
    assert result["details"]["quality"] == pytest.approx(8 / 9)
    assert result["details"]["semantic"] == pytest.approx(0.78583, abs=1e-5)
    assert result["reward"] == pytest.approx(8 / 9 + 0.78583, abs=1e-5)


def test_a_hosted_model_answers_for_prompt_and_frames(call: Any) -> None:
    frame = base64.b64encode(b"frame").decode()
    scores = RawScores(np.array([[0.5, 0.25]]), "pisces", "1", np.array([False]))
    hosted, given = call(OP, {"prompt": "a cat", "frames_b64": [frame]}, ITEM, answers=[scores])
    assert hosted["reward"] == 0.75
    assert given["details"]["quality"] == pytest.approx(8 / 9)


def test_zero_vectors_missing_logits_and_nothing_at_all_are_errors(call: Any) -> None:
    for broken in call(OP, {**ITEM, "text_cls": [0, 0, 0]}, {"text_cls": [1], "video_cls": [1]}, {}):
        assert broken["error"]["code"] == "invalid_field"


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_scale_of_embeddings_does_not_matter(call: Any, scale: float) -> None:
    (result,) = call(OP, {**ITEM, "text_cls": [scale, 2 * scale, 2 * scale]})
    assert result["details"]["quality"] == pytest.approx(8 / 9)
