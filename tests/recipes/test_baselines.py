"""``group: {baseline, scale}``: what is subtracted from the rewards of a request, and what they are divided by."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.group_lengths import find_missing_lengths
from reward_gateway.recipes.schema import GroupSpec
from reward_gateway.sample import Batch

GIVEN = "components: {mine: {score: given, inputs: {value: {feature: mine}}}}"
R = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
GROUPS = ["a"] * 4 + ["b"] * 4


def score(evaluated: Any, group: str, values: list[float] = R, groups: list[str] | None = None, **more: Any) -> Any:
    features = [{"mine": value, **more.get("extra", [{}] * len(values))[i]} for i, value in enumerate(values)]
    names = groups or (GROUPS if len(values) == 8 else ["a"] * len(values))
    responses = more.get("responses", ["x"] * len(values))
    return evaluated(f"{GIVEN}\ngroup: {group}", responses=responses, features=features, group_names=names)


@pytest.mark.parametrize(
    ("group", "first", "second"),
    [
        ("{baseline: mean, scale: batch_std, eps: 0}", 1.40312, -0.46771),
        ("{baseline: mean, scale: whiten, eps: 0}", 1.62019, -0.54006),
        ("{scale: whiten, eps: 0}", 0.93541, -0.93541),
        ("{baseline: mean}", 0.75, -0.25),
        ("{baseline: rloo}", 1.0, -1 / 3),
        ("{baseline: mean, scale: group_std, eps: 0, spread: population}", 0.75 / 0.4330127, -0.25 / 0.4330127),
    ],
)
def test_what_trainers_do_is_written_by_its_parts(evaluated: Any, group: str, first: float, second: float) -> None:
    result = score(evaluated, group)
    assert result.reward[:2].tolist() == pytest.approx([first, second], abs=5e-6)
    assert result.reward_raw.tolist() == R


def test_a_whitened_reward_needs_no_groups_but_several_samples(evaluated: Any) -> None:
    apart = score(evaluated, "{scale: whiten, eps: 0}", groups=[str(i) for i in range(8)])
    assert np.abs(apart.reward).tolist() == pytest.approx([0.93541] * 8, abs=5e-6)
    assert not apart.invalid
    alone = score(evaluated, "{scale: whiten}", [1.0])
    assert alone.invalid[0].code == "group_of_one"


def test_a_baseline_of_the_group_needs_one(evaluated: Any) -> None:
    result = score(evaluated, "{baseline: mean, scale: batch_std}", [1.0, 0.0, 5.0], ["a", "a", "b"])
    assert {row: reason.code for row, reason in result.invalid.items()} == {2: "group_of_one"}
    assert result.reward[:2].tolist() == pytest.approx([0.5 / np.sqrt(0.5), -0.5 / np.sqrt(0.5)], abs=1e-3)


def test_lengths_come_from_a_feature_or_are_counted_in_words(evaluated: Any) -> None:
    extra = [{"tokens": tokens} for tokens in (10, 20, 30, 40)]
    named = score(evaluated, "{baseline: opo, length: {feature: tokens}}", R[:4], extra=extra)
    assert named.reward.tolist() == pytest.approx([0.9, -0.1, -0.1, -0.1])
    words = score(evaluated, "{normalize: opo}", R[:4], responses=["w " * n for n in (1, 2, 3, 4)])
    assert words.reward.tolist() == pytest.approx([0.9, -0.1, -0.1, -0.1])


def test_a_sample_without_its_length_is_refused() -> None:
    spec = GroupSpec.model_validate({"baseline": "opo", "length": {"feature": "tokens"}})
    features: list[dict[str, Any]] = [{"tokens": 10}, {}, {"tokens": -1}, {"tokens": True}, {"tokens": "9"}]
    batch = Batch([""] * 5, ["p"] * 5, ["x"] * 5, features=features)  # type: ignore[arg-type]
    missing = find_missing_lengths(spec, batch)
    assert {row: (reason.code, reason.param) for row, reason in missing.items()} == {
        1: ("missing_field", "features.tokens"),
        **dict.fromkeys((2, 3, 4), ("invalid_field", "features.tokens")),
    }
    assert find_missing_lengths(GroupSpec.model_validate({"normalize": "opo"}), batch) == {}


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("{normalize: zscore, baseline: mean}", "give it, or these"),
        ("{baseline: mean, length: {feature: tokens}}", "baseline opo alone"),
        ("{baseline: mean, scale: batch_std, cohort: {size: 4}}", "a cohort joins samples of several"),
        ("{scale: whiten, cohort: {size: 4}}", "a cohort joins samples of several"),
        ("{baseline: median}", "baseline"),
    ],
)
def test_what_makes_no_sense_is_a_fault(evaluated: Any, group: str, message: str) -> None:
    with pytest.raises(InvalidRecipe, match=message):
        score(evaluated, group)
