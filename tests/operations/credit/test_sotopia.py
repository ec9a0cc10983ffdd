"""credit/sotopia and score/sotopia_rm."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import RawScores

PATH = "credit/sotopia"
GOAL = {"attributions": {"goal": [3, 1, 0]}, "scores": {"goal": 8}}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("direct", [8.0, 8 / 3, 0.0]),
        ("normalised", [6.0, 2.0, 0.0]),
        ("discount", [6.48, 7.2, 8.0]),
        ("uniform", [8.0, 8.0, 8.0]),
    ],
)
def test_spreads_an_episodes_score(call: Any, mode: str, expected: list[float]) -> None:
    [result] = call(PATH, GOAL, mode=mode)
    assert result["rewards"] == pytest.approx(expected)
    assert result["details"]["dimensions"]["goal"] == pytest.approx(expected)


def test_the_key_utterance_takes_it_all(call: Any) -> None:
    named, unnamed = call(PATH, {**GOAL, "key_utterance": {"goal": 1}}, GOAL, mode="key_utterance")
    assert named["rewards"] == [0.0, 8.0, 0.0]
    assert "key_utterance" in unnamed["error"]["message"]


def test_bounds_bring_every_dimension_to_ten_and_average_them(call: Any) -> None:
    item = {
        "attributions": {"goal": [8, 2, 0], "relationship": [5, 3, 1], "knowledge": [4, 4, 0]},
        "scores": {"goal": 10, "relationship": 10, "knowledge": 10},
    }
    bounds = {"goal": [0, 8], "relationship": [1, 5], "knowledge": [0, 4]}
    [result] = call(PATH, item, scale=10, bounds=bounds)
    assert result["rewards"] == pytest.approx([10.0, 5.8333333, 0.0])


def test_a_harmful_utterance_is_minus_one(call: Any) -> None:
    [result] = call(PATH, {"attributions": {"goal": [-1, 3]}, "scores": {"goal": 9}})
    assert result["rewards"] == [-1.0, 9.0]


def test_what_the_judge_left_out_counts_nothing(call: Any) -> None:
    [result] = call(PATH, {"attributions": {"goal": [3, None]}, "scores": {"goal": 6}})
    assert result["rewards"] == [6.0, 0.0]


def test_no_attribution_at_all_gives_nothing_when_normalised(call: Any) -> None:
    [result] = call(PATH, {"attributions": {"goal": [0, 0]}, "scores": {"goal": 6}}, mode="normalised")
    assert result["rewards"] == [0.0, 0.0]


def test_equal_bounds_give_the_middle(call: Any) -> None:
    assert call(PATH, GOAL, bounds={"goal": [4, 4]})[0]["rewards"] == [5.0, 5.0, 5.0]
    assert call(PATH, GOAL, bounds={"goal": [4, 4]}, flat=0.0)[0]["rewards"] == [0.0, 0.0, 0.0]


def test_several_dimensions_without_bounds_are_averaged(call: Any) -> None:
    item = {"attributions": {"goal": [3], "knowledge": [3]}, "scores": {"goal": 8, "knowledge": 4}}
    assert call(PATH, item)[0]["rewards"] == [6.0]


def test_no_utterances_have_no_rewards(call: Any) -> None:
    assert call(PATH, {"attributions": {"goal": []}, "scores": {"goal": 8}})[0]["rewards"] == []


@pytest.mark.parametrize(
    ("item", "params", "word"),
    [
        ({"attributions": {}, "scores": {}}, {}, "dimension"),
        ({"attributions": {"goal": [1], "knowledge": [1, 2]}, "scores": {"goal": 1, "knowledge": 1}}, {}, "differ"),
        ({"attributions": {"goal": [1]}, "scores": {}}, {}, "goal"),
        ({"attributions": {"goal": [-2]}, "scores": {"goal": 1}}, {}, "-1"),
        ({"attributions": {"goal": [1]}, "scores": {"goal": 1}}, {"bounds": {"knowledge": [0, 1]}}, "goal"),
    ],
)
def test_what_does_not_fit_together_is_the_items_error(
    call: Any, item: dict[str, Any], params: dict[str, Any], word: str
) -> None:
    [result] = call(PATH, item, **params)
    assert word in result["error"]["message"]


def test_bounds_are_pairs(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="min"):
        call(PATH, GOAL, bounds={"goal": [8, 0]})


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.floats(-1e4, 1e4))
@settings(max_examples=50, deadline=None)
def test_normalised_rewards_sum_to_the_score_and_direct_ones_never_exceed_it(
    call: Any, attributions: list[int], score: float
) -> None:
    item = {"attributions": {"goal": attributions}, "scores": {"goal": score}}
    [normalised], [direct] = call(PATH, item, mode="normalised"), call(PATH, item)
    assert sum(normalised["rewards"]) == pytest.approx(score if any(attributions) else 0.0, rel=1e-9, abs=1e-9)
    assert max(abs(reward) for reward in direct["rewards"]) <= abs(score) * (1 + 1e-12)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_rewards_within_their_bounds_end_between_0_and_10(call: Any, attributions: list[int], score: float) -> None:
    item = {"attributions": {"goal": attributions}, "scores": {"goal": score}}
    [result] = call(PATH, item, bounds={"goal": [-5, 5]})
    assert all(-1e-9 <= reward <= 10 + 1e-9 for reward in result["rewards"])


def test_the_regression_model_answers_with_its_logit(call: Any) -> None:
    scores = RawScores(np.array([[0.5], [-2.0]]), "sotopia_rm", "3", np.zeros(2, dtype=bool))
    items = [{"prompt": "Ask for help.", "response": text} for text in ("Please?", "Do it.")]
    first, second = call("score/sotopia_rm", *items, answers=[scores])
    assert (first["reward"], second["reward"]) == (0.5, -2.0)
    assert first["details"]["model_version"] == "3"
