"""A recorded answer is the answer: every number, reason, flag and text of it comes back."""

import numpy as np
import pytest
from reward_gateway.sample import ComponentScores, Invalid, Scored, Usage
from reward_gateway.scoring.recorded_answers import (
    decode_results,
    decode_scores,
    encode_results,
    encode_scores,
    keep_answers,
)


def scored(first: float = 1.0) -> Scored:
    """Three samples, the last of which is invalid, by a component with everything and one with nothing."""
    numbers = np.array([first, 2.5, np.nan])
    full = ComponentScores(
        raw=numbers.copy(),
        value=-numbers,
        model="m",
        model_version="7",
        cached=np.array([True, False, False]),
        vectors=[np.array([first, 0.25]), np.array([np.nan]), None],
        judge_answers=[f"answer {first}", "\ud800", None],
        verdicts={"matched": np.array([first, 0.0, 0.0])},
        limits=[first, None, 0.5],
    )
    return Scored(
        recipe="r",
        version="b3:1",
        reward=numbers.copy(),
        components={"full": full, "plain": ComponentScores(numbers + 1, numbers + 2)},
        rewards=[[first], [2.5, np.float64(3.0)], None],
        invalid={2: Invalid("missing_field", "it is missing", "full", "features.v")},
        flags={0: ("truncated", "low"), 1: ("high",)},
        usage=Usage(3, 1, 2, 4),
        timing_ms={"total": 12.5, "cache": 0.5},
    )


def test_scores_come_back_as_they_were() -> None:
    before = scored()
    after = decode_scores(encode_scores(before))
    assert (after.recipe, after.version) == ("r", "b3:1")
    np.testing.assert_array_equal(after.reward, before.reward)
    assert list(after.components) == ["full", "plain"]
    for name, own in after.components.items():
        np.testing.assert_array_equal(own.raw, before.components[name].raw)
        np.testing.assert_array_equal(own.value, before.components[name].value)
    full, plain = after.components["full"], after.components["plain"]
    assert (full.model, full.model_version) == ("m", "7")
    assert full.cached is not None
    assert full.cached.tolist() == [True, False, False]
    assert full.vectors is not None
    np.testing.assert_array_equal(full.vectors[0], [1.0, 0.25])
    np.testing.assert_array_equal(full.vectors[1], [np.nan])
    assert full.vectors[2] is None
    assert full.judge_answers == ["answer 1.0", "\ud800", None]
    assert full.limits == [1.0, None, 0.5]
    assert full.verdicts is not None
    assert full.verdicts["matched"].tolist() == [1.0, 0.0, 0.0]
    assert (plain.model, plain.model_version, plain.cached, plain.vectors, plain.judge_answers) == (None,) * 5
    assert plain.verdicts is None
    assert after.rewards == [[1.0], [2.5, 3.0], None]
    assert after.invalid == before.invalid
    assert after.flags == before.flags
    assert after.usage == before.usage
    assert after.timing_ms == before.timing_ms


def test_what_was_decoded_may_be_changed() -> None:
    after = decode_scores(encode_scores(scored()))
    after.reward[0] = 9.0
    full = after.components["full"]
    full.raw[0] = full.value[0] = 9.0
    assert full.cached is not None
    full.cached[1] = True


def test_results_come_back_as_they_were() -> None:
    results = [{"reward": 0.5, "text": "\ud800 é"}, None, {"error": {"code": "x"}}]
    assert decode_results(encode_results(results)) == results


def test_what_json_cannot_hold_is_an_error_and_not_a_text() -> None:
    answer = scored()
    answer.rewards = [object(), None, None]
    with pytest.raises(TypeError, match="object"):
        encode_scores(answer)


def test_recorded_rows_are_laid_over_and_the_others_stay() -> None:
    recorded, new = scored(first=5.0), scored(first=1.0)
    recorded.invalid = {0: Invalid("truncated", "too long")}
    recorded.flags = {2: ("late",)}
    for own in (recorded.components["full"], recorded.components["plain"]):
        own.raw[2] = own.value[2] = 8.0
    recorded.reward[2] = 8.0
    recorded.components["full"].cached = np.array([False, True, True])
    new.components["full"].vectors = [np.array([1.0]), np.array([2.0]), np.array([3.0])]
    new.components["full"].judge_answers = ["a", "b", "c"]
    assert recorded.rewards is not None
    recorded.rewards[2] = [7.0]
    keep_answers(recorded, [0, 2], new)
    assert new.reward.tolist() == [5.0, 2.5, 8.0]
    full, plain = new.components["full"], new.components["plain"]
    assert full.raw.tolist() == [5.0, 2.5, 8.0]
    assert full.value.tolist() == [-5.0, -2.5, 8.0]
    assert plain.raw.tolist() == [6.0, 3.5, 8.0]
    assert full.cached is not None
    assert full.cached.tolist() == [False, False, True]
    assert full.vectors is not None
    assert [None if vector is None else vector.tolist() for vector in full.vectors] == [[5.0, 0.25], [2.0], None]
    assert full.judge_answers == ["answer 5.0", "b", None]
    assert full.limits == [5.0, None, 0.5]
    assert full.verdicts is not None
    assert full.verdicts["matched"].tolist() == [5.0, 0.0, 0.0]
    assert new.invalid == {0: Invalid("truncated", "too long")}
    assert new.flags == {1: ("high",), 2: ("late",)}
    assert new.rewards == [[5.0], [2.5, 3.0], [7.0]]


def test_what_only_one_of_the_two_has_is_left_alone() -> None:
    recorded, new = scored(5.0), scored(1.0)
    recorded.rewards = None
    for own in (recorded.components["full"],):
        own.cached = own.vectors = own.judge_answers = None
    keep_answers(recorded, [0], new)
    full = new.components["full"]
    assert full.judge_answers is not None
    assert full.judge_answers[0] == "answer 1.0"
    assert full.cached is not None
    assert full.cached.tolist() == [True, False, False]
    assert new.rewards is not None
    assert new.rewards[0] == [1.0]
    keep_answers(scored(5.0), [0], recorded)
    assert recorded.rewards is None
    assert recorded.components["full"].vectors is None
