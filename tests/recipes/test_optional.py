"""An optional component is left out where a sample lacks what it reads; the combiner must be able to do without it."""

import math
from typing import Any

import pytest
from reward_gateway.errors import InvalidRecipe

HYBRID = """
components:
  rule: {score: exact_match, optional: true, transforms: [{affine: {scale: 2.0}}]}
  model: {score: given, inputs: {value: {feature: m}}}
combine: harmo
"""


def test_a_sample_without_the_reference_is_scored_by_the_rest(evaluated: Any) -> None:
    features = [{"m": 0.3}, {"m": 0.3}, {"m": 0.3}]
    result = evaluated(HYBRID, responses=["a", "b", "a"], references=["a", "a", None], features=features)
    assert result.reward.tolist() == [2.0, 0.0, 0.3]
    assert math.isnan(result.components["rule"].raw[2])
    assert not result.invalid


def test_a_batch_in_which_no_sample_has_it_is_scored_too(evaluated: Any) -> None:
    result = evaluated(HYBRID, responses=["a", "b"], features=[{"m": 0.3}, {"m": 0.5}])
    assert result.reward.tolist() == [0.3, 0.5]


def test_what_fails_for_another_reason_is_still_a_failure(evaluated: Any) -> None:
    recipe = HYBRID.replace("exact_match", "numeric_match")
    features = [{"m": 0.3}, {"m": 0.3}, {"m": 0.5}]
    references = ["no number", None, None]
    result = evaluated(recipe, responses=["1", "1", "1"], references=references, features=features)
    assert set(result.invalid) == {0}
    assert result.reward[1:].tolist() == [0.3, 0.5]


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("components: {a: {score: exact_match, optional: true}}", "the combiner requires a"),
        (HYBRID.replace("harmo", "mean"), "the combiner requires rule"),
        (HYBRID.replace("score: given, inputs: {value: {feature: m}}", "score: m, optional: true"), "m is a model"),
        (HYBRID.replace("combine: harmo", "combine: {harmo: {over: [model]}, then: {add: [rule]}}"), "requires rule"),
    ],
)
def test_a_recipe_that_cannot_do_without_it_is_refused(compiled: Any, recipe: str, said: str) -> None:
    with pytest.raises(InvalidRecipe, match=said):
        compiled(recipe)


def test_a_recipe_without_it_keeps_its_version(compiled: Any) -> None:
    plain = "components: {a: {score: exact_match}}"
    said = "components: {a: {score: exact_match, optional: false}}"
    assert compiled(plain).version == compiled(said).version
