"""score/oni."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import LookUpLabels, MergeMoments, Moments
from reward_gateway.operations.registry import catalog

PATH = "score/oni"
KILL = {"message": "You kill the goblin!", "episode": "e1", "count": 2, "ext": 10}


def start(items: list[dict[str, Any]], **params: Any) -> Any:
    operation = catalog().get("score", "oni")
    assert operation is not None
    return apply(operation, items, params)


def finish(steps: Any, answer: Any) -> Any:
    with pytest.raises(StopIteration) as stop:
        steps.send(answer)
    return stop.value.value


def test_adds_the_discounted_label_to_the_extrinsic_reward(call: Any) -> None:
    [result] = call(PATH, {**KILL, "label": 1})
    assert result["reward"] == pytest.approx(1.05)
    assert result["details"]["queued"] is False


def test_an_unseen_message_is_worth_nothing_yet_and_is_queued(call: Any) -> None:
    [result] = call(PATH, KILL, answers=[[None]])
    assert result["reward"] == pytest.approx(1.0)
    assert result["details"]["queued"] is True


def test_a_message_is_looked_up_once_however_often_it_comes() -> None:
    items = [{"message": text, "count": 1} for text in ("a", "b", "a")] + [{"message": "c", "count": 1, "label": 0}]
    steps = start(items, table="nethack")
    assert next(steps) == LookUpLabels("nethack", ["a", "b"], True)
    results = finish(steps, [1.0, None])
    assert [result["reward"] for result in results] == pytest.approx([0.4, 0.0, 0.4, 0.0])
    assert [result["details"]["queued"] for result in results] == [False, True, False, False]


def test_without_a_count_a_message_is_counted_within_its_episode(call: Any) -> None:
    items = [{"message": "m", "episode": episode, "label": 1} for episode in ("e1", "e1", "e2", "e1")]
    results = call(PATH, *items)
    assert [result["details"]["count"] for result in results] == [1.0, 2.0, 1.0, 3.0]
    assert [result["reward"] for result in results] == pytest.approx([0.4, 0.05, 0.4, 0.4 / 27])


@pytest.mark.parametrize("item", [{"message": "m", "label": 1}, {"message": "m", "label": 1, "count": 0}])
def test_a_message_that_cannot_be_counted_is_the_items_error(call: Any, item: dict[str, Any]) -> None:
    bad, fine = call(PATH, item, {**KILL, "label": 1})
    assert "count" in bad["error"]["message"]
    assert fine["error"] is None


@pytest.mark.parametrize(("probability", "intrinsic"), [(0.5, 0.0), (0.51, 1.0), (0.0, 0.0)])
def test_a_classifier_is_cut_at_one_half(call: Any, probability: float, intrinsic: float) -> None:
    [result] = call(PATH, {"message": "m", "count": 1, "probability": probability}, mode="classification")
    assert result["details"]["intrinsic"] == intrinsic


def test_a_ranking_is_normalised_by_moments_that_the_batch_has_updated() -> None:
    steps = start([{"message": "m", "count": 1, "score": score} for score in (1.0, 3.0)], mode="ranking", stream="s")
    assert next(steps) == MergeMoments("s", Moments(2.0, 2.0, 4.0))
    results = finish(steps, Moments(4.0, 2.0, 4.0))
    assert [result["details"]["intrinsic"] for result in results] == pytest.approx([0.0, 1.0], abs=1e-4)


def test_a_z_must_be_above_epsilon_to_be_worth_something(call: Any) -> None:
    item, answers = {"message": "m", "count": 1, "score": -1.0}, [Moments(4.0, 0.0, 16.0)]
    [below] = call(PATH, item, mode="ranking", answers=answers, epsilon=-9.0)
    z = below["details"]["intrinsic"]
    assert z == pytest.approx(-0.5, abs=1e-4)
    assert call(PATH, item, mode="ranking", answers=answers, epsilon=z)[0]["details"]["intrinsic"] == 0.0


def test_a_stream_of_rankings_begins_with_variance_one_at_a_small_weight() -> None:
    items = [{"message": "m", "count": 1, "score": score} for score in (1.0, 2.0, 3.0)]
    steps = start(items, mode="ranking", epsilon=-2.0)
    batch = next(steps).batch
    assert batch == Moments(3.0, 2.0, 3.0)
    results = finish(steps, batch)
    assert [result["details"]["intrinsic"] for result in results] == pytest.approx([-0.99987, 0.00007, 1.0], abs=5e-6)


def test_one_score_adds_nothing_to_the_spread_of_its_stream() -> None:
    steps = start([{"message": "m", "count": 1, "score": 3.0}], mode="ranking")
    assert next(steps).batch == Moments(1.0, 3.0, 0.0)
    [result] = finish(steps, Moments(1.0, 3.0, 0.0))
    assert result["details"]["intrinsic"] == pytest.approx(0.00949, abs=1e-5)


@pytest.mark.parametrize("mode", ["classification", "ranking"])
def test_a_mode_without_its_number_is_the_items_error(call: Any, mode: str) -> None:
    [result] = call(PATH, {"message": "m", "count": 1}, mode=mode)
    assert result["error"]["code"] == "missing_field"


@given(st.integers(1, 10_000), st.floats(0, 100), st.integers(0, 1), st.floats(-1e4, 1e4))
@settings(max_examples=50, deadline=None)
def test_repetition_never_pays(call: Any, count: int, beta: float, label: int, ext: float) -> None:
    items = [{"message": "m", "count": n, "label": label, "ext": ext} for n in (count, count + 1)]
    once, again = call(PATH, *items, beta=beta)
    assert again["reward"] <= once["reward"]
    assert again["reward"] >= 0.1 * ext
