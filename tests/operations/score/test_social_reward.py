"""score/social_reward and its training loss, audit/social_triplet."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import ScoreWithModel
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid, RawScores

PATH, TRIPLET = "score/social_reward", "audit/social_triplet"
vectors = st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3).filter(lambda v: any(abs(x) > 1e-3 for x in v))


def embeddings(text: list[float], image: list[float]) -> dict[str, Any]:
    return {"text_embedding": text, "image_embedding": image}


def test_is_the_cosine_of_the_embeddings(call: Any) -> None:
    results = call(PATH, embeddings([1, 0], [0.6, 0.8]), embeddings([1, 0], [0.8, 0.6]), embeddings([2, 0], [-9, 0]))
    assert [result["reward"] for result in results] == pytest.approx([0.6, 0.8, -1.0])


@pytest.mark.parametrize(
    ("item", "word"),
    [
        (embeddings([0, 0], [1, 0]), "length 0"),
        (embeddings([], []), "length 0"),
        (embeddings([1, 0], [1, 0, 0]), "agree"),
        ({"text_embedding": [1.0]}, "image_embedding"),
        ({"prompt": "a cat"}, "image_b64"),
        ({"prompt": "a cat", "image_b64": "not base64!"}, "base64"),
        ({}, "give"),
    ],
)
def test_what_cannot_be_compared_is_the_items_own_error(call: Any, item: dict[str, Any], word: str) -> None:
    bad, fine = call(PATH, item, embeddings([1, 1], [1, 1]))
    assert word in bad["error"]["message"]
    assert fine["reward"] == pytest.approx(1.0)


def test_prompt_and_image_go_to_the_hosted_model_beside_given_embeddings() -> None:
    operation = catalog().get("score", "social_reward")
    assert operation is not None
    picture = base64.b64encode(b"png").decode()
    items = [
        {"prompt": "a cat", "image_b64": picture},
        embeddings([1, 0], [0.6, 0.8]),
        {"prompt": "a dog", "image_b64": "data:image/png;base64," + picture},
    ]
    steps = apply(operation, items, {"model": "clip"})
    need = next(steps)
    assert isinstance(need, ScoreWithModel)
    assert need.model == "clip"
    assert need.batch.prompts == ["a cat", "a dog"]
    assert need.batch.images is not None
    assert [images[0].data for images in need.batch.images] == [b"png", b"png"]
    scores = RawScores(np.array([[0.25], [np.nan]]), "clip", "7", np.zeros(2, dtype=bool))
    scores.invalid[1] = Invalid("invalid_media", "no image")
    with pytest.raises(StopIteration) as stop:
        steps.send(scores)
    hosted, given_, failed = stop.value.value
    assert hosted["reward"] == 0.25
    assert hosted["details"]["model_version"] == "7"
    assert given_["reward"] == pytest.approx(0.6)
    assert failed["error"]["code"] == "invalid_media"


@given(vectors, vectors, st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_is_bounded_symmetric_and_blind_to_scale(call: Any, a: list[float], b: list[float], c: float) -> None:
    scaled = [c * x for x in a]
    one, other, longer = call(PATH, embeddings(a, b), embeddings(b, a), embeddings(scaled, b))
    assert -1.0 <= one["reward"] <= 1.0
    assert one["reward"] == pytest.approx(other["reward"], abs=1e-12)
    assert one["reward"] == pytest.approx(longer["reward"], abs=1e-9)


def test_the_triplet_loss_is_a_hinge_on_the_gap_of_the_scores(call: Any) -> None:
    [result] = call(TRIPLET, {"text_embedding": [1, 0], "positive": [0.6, 0.8], "negative": [0.8, 0.6]})
    assert result["reward"] == pytest.approx(0.7)
    assert result["details"]["correct"] is False
    assert result["details"]["positive"] == pytest.approx(0.6)


def test_a_tie_costs_the_margin_and_counts_as_correct(call: Any) -> None:
    [result] = call(TRIPLET, {"text_embedding": [1, 0], "positive": [1, 1], "negative": [1, 1]})
    assert result["reward"] == pytest.approx(0.3)
    assert result["details"]["correct"] is True


@given(vectors, vectors, vectors)
@settings(max_examples=50, deadline=None)
def test_the_triplet_loss_equals_squared_distances(
    call: Any, t: list[float], positive: list[float], negative: list[float]
) -> None:
    [result] = call(TRIPLET, {"text_embedding": t, "positive": positive, "negative": negative})
    t_, p, n = (np.array(v) / np.linalg.norm(v) for v in (t, positive, negative))
    distances = ((t_ - p) ** 2).sum() - ((t_ - n) ** 2).sum()
    assert result["reward"] == pytest.approx(max(0.0, distances + 0.3), abs=1e-9)
