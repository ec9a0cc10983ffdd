"""score/bleu, rouge, edit_similarity, token_f1, keyword_coverage."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CAT = "the cat sat on the mat"
sentences = st.lists(st.sampled_from(CAT.split()), max_size=12).map(" ".join)


def of(call: Any, name: str, response: str, reference: str, **params: Any) -> float | None:
    (result,) = call(f"score/{name}", {"response": response, "reference": reference}, **params)
    value: float | None = result["reward"]
    return value


@pytest.mark.parametrize("name", ["bleu", "rouge", "edit_similarity", "token_f1"])
def test_the_reference_itself_scores_one_and_another_text_zero(call: Any, name: str) -> None:
    assert of(call, name, CAT, CAT) == pytest.approx(1.0)
    assert of(call, name, "", CAT) == 0.0


@pytest.mark.parametrize("name", ["bleu", "rouge", "edit_similarity", "token_f1"])
@given(response=sentences, reference=sentences)
@LAWS
def test_overlap_lies_in_the_unit_interval(call: Any, name: str, response: str, reference: str) -> None:
    value = of(call, name, response, reference)
    assert value is not None
    assert 0.0 <= value <= 1.0


def test_bleu_is_sacrebleus_sentence_score(call: Any) -> None:
    # 1-grams 5/6, 2-grams 3/5, 3-grams 1/4, 4-grams smoothed (1/2)/3; both six words long.
    expected = (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25
    assert of(call, "bleu", "the cat is on the mat", CAT) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "measure", "expected"),
    [("rouge1", "f", 0.8), ("rouge1", "recall", 2 / 3), ("rouge1", "precision", 1.0), ("rougeL", "recall", 2 / 3)],
)
def test_rouge_by_hand(call: Any, kind: str, measure: str, expected: float) -> None:
    assert of(call, "rouge", "the cat sat on", CAT, kind=kind, measure=measure) == pytest.approx(expected)


@given(response=sentences, reference=sentences)
@LAWS
def test_rouge_l_is_that_of_the_library(call: Any, response: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    expected = RougeScorer(["rougeL"]).score(reference, response)["rougeL"]
    assert of(call, "rouge", response, reference) == pytest.approx(expected.fmeasure)
    assert of(call, "rouge", response, reference, measure="precision") == pytest.approx(expected.precision)


def test_edit_similarity_counts_edits_over_the_longer_text(call: Any) -> None:
    assert of(call, "edit_similarity", "kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert of(call, "edit_similarity", "KITTEN", " kitten", fold=True) == 1.0
    assert of(call, "edit_similarity", "", "") == 1.0
    assert of(call, "edit_similarity", "a" * 20_001, "a") is None


def test_token_f1_by_hand(call: Any) -> None:
    (result,) = call("score/token_f1", {"response": "A black cat, a mat!", "reference": "the cat sat"})
    assert result["reward"] == pytest.approx(0.4)
    assert result["details"] == {"precision": pytest.approx(1 / 3), "recall": 0.5}
    assert of(call, "token_f1", "the", "a") == 1.0


def test_keywords_count_as_whole_words(call: Any) -> None:
    own, common, none = call(
        "score/keyword_coverage",
        {"response": "Reward models, scored fast.", "keywords": ["reward model", "FAST", "scored"]},
        {"response": "A reward model."},
        {"response": "x", "keywords": []},
        keywords=["reward model"],
    )
    assert own["reward"] == pytest.approx(2 / 3)
    assert own["details"]["missing"] == ["reward model"]
    assert common["reward"] == 1.0
    assert none["error"]["code"] == "invalid_field"
