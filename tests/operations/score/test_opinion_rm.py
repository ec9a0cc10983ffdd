"""score/opinion_rm."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import AskJudge, FindJudgeLimits, ReadSet
from reward_gateway.operations.registry import catalog
from reward_gateway.operations.score.opinion_rm import FEATURES
from reward_gateway.sample import Invalid

PATH = "score/opinion_rm"


def features(*values: float) -> dict[str, float]:
    return dict(zip(FEATURES, values, strict=True))


EXAMPLE = features(4, 5, 3, 4, 5, 5, 5)
LINEAR: dict[str, Any] = {"weights": [1.0] * 7, "bias": -3.0}


def test_a_linear_head_over_features_in_fifths(call: Any) -> None:
    [result] = call(PATH, {"features": EXAMPLE}, **LINEAR)
    assert result["reward"] == pytest.approx(0.96083, abs=5e-6)


def test_the_loss_of_a_pair_of_scores(call: Any) -> None:
    [result] = call("audit/bradley_terry", {"chosen": 0.96, "rejected": 0.60})
    assert result["details"]["nll"] == pytest.approx(0.5293, abs=5e-5)


def test_the_order_of_the_keys_does_not_matter(call: Any) -> None:
    weights = [float(i) for i in range(7)]
    backwards = dict(reversed(EXAMPLE.items()))
    one, other = call(PATH, {"features": EXAMPLE}, {"features": backwards}, weights=weights, bias=-15.0)
    assert one["reward"] == other["reward"]


@pytest.mark.parametrize(
    ("given_", "word"),
    [
        (dict.fromkeys(FEATURES[1:], 1), FEATURES[0]),
        ({**EXAMPLE, "taste": 1}, "taste"),
        ({**EXAMPLE, "relevance": 5.5}, "relevance"),
        ({**EXAMPLE, "relevance": -0.5}, "relevance"),
        ({}, FEATURES[0]),
    ],
)
def test_features_are_never_guessed(call: Any, given_: dict[str, float], word: str) -> None:
    bad, fine = call(PATH, {"features": given_}, {"features": EXAMPLE}, **LINEAR)
    assert word in bad["error"]["message"]
    assert fine["error"] is None


def test_without_features_or_texts_there_is_nothing_to_score(call: Any) -> None:
    assert "features" in call(PATH, {}, **LINEAR)[0]["error"]["message"]


def test_seven_weights_are_asked_for(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="7"):
        call(PATH, {"features": EXAMPLE}, weights=[1.0])


def skip_limits(steps: Any, effect: Any) -> Any:
    """The next effect, where a judge is asked that has one limit of time for all."""
    return steps.send(None) if isinstance(effect, FindJudgeLimits) else effect


def run(items: list[dict[str, Any]], *answers: Any, **params: Any) -> tuple[list[Any], Any]:
    operation = catalog().get("score", "opinion_rm")
    assert operation is not None
    steps = apply(operation, items, params)
    needs = [skip_limits(steps, next(steps))]
    for answer in answers[:-1]:
        needs.append(skip_limits(steps, steps.send(answer)))
    with pytest.raises(StopIteration) as stop:
        steps.send(answers[-1])
    return needs, stop.value.value


def test_a_stored_head_has_its_activation_behind_the_first_and_the_last_layer_only() -> None:
    layer = {"weight": [[1.0] * 7], "bias": [-7.0]}
    middle, last = {"weight": [[-2.0]], "bias": [0.0]}, {"weight": [[1.0]], "bias": [5.0]}
    head = {"layers": [layer, middle, last], "activation": "relu"}
    needs, [result] = run([{"features": EXAMPLE}], head)
    assert needs == [ReadSet("heads", "opinion_rm")]
    # relu(6.2 - 7) = 0, then 0 without relu, then relu(5)
    assert result["reward"] == 5.0
    _, [result] = run([{"features": features(*[5] * 7)}], {**head, "layers": [{**layer, "bias": [-6.0]}, middle, last]})
    # relu(1) = 1, then -2 as it is, then relu(3)
    assert result["reward"] == 3.0


@pytest.mark.parametrize("stored", [None, {}, {"layers": []}, {"layers": [{"weight": [[1.0]], "bias": [0.0]}]}])
def test_a_head_that_is_not_there_or_does_not_fit_is_said(stored: Any) -> None:
    _, [result] = run([{"features": EXAMPLE}], stored)
    assert result["error"]["code"] == "model_unavailable"
    assert "head" in result["error"]["message"]


def test_a_judge_grades_texts_and_a_wrong_answer_is_no_score() -> None:
    item = {"reviews": ["Loud.", "Good sound."], "summary": "Good but loud."}
    answers = [
        "Here you are: " + json.dumps(EXAMPLE),
        json.dumps({"relevance": 5}),
        "I would rather not.",
        "[1, 2]",
        Invalid("judge_error", "no answer"),
    ]
    needs, results = run([item] * 5, answers, None, judge="j", **LINEAR)
    assert isinstance(needs[0], AskJudge)
    assert needs[0].judge == "j"
    assert "Good sound." in needs[0].conversations[0][0]["content"]
    assert results[0]["reward"] == pytest.approx(0.96083, abs=5e-6)
    assert [result["error"]["code"] for result in results[1:]] == ["judge_error"] * 4


@given(st.lists(st.lists(st.floats(0, 5), min_size=7, max_size=7), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_scores_are_probabilities_that_rise_with_every_feature_and_ignore_the_batch(
    call: Any, rows: list[list[float]]
) -> None:
    items = [{"features": features(*row)} for row in rows]
    together = [result["reward"] for result in call(PATH, *items, **LINEAR)]
    assert together == pytest.approx([call(PATH, item, **LINEAR)[0]["reward"] for item in items])
    better = [{"features": features(*[min(5.0, value + 0.5) for value in row])} for row in rows]
    for reward, result in zip(together, call(PATH, *better, **LINEAR), strict=True):
        assert 0.0 <= reward <= result["reward"] <= 1.0


@pytest.mark.parametrize("weight", [1e4, -1e4])
def test_huge_weights_saturate_without_overflow(call: Any, weight: float) -> None:
    [result] = call(PATH, {"features": EXAMPLE}, weights=[weight] * 7)
    assert math.isfinite(result["reward"])
