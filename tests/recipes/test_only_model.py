"""A recipe that is a model's number is answered without an evaluation; what it answers is the same."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.apply import run_pure
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.evaluation import Rewards
from reward_gateway.sample import Batch, Invalid, RawScores

from tests.recipes.conftest import batch_of, compile_recipe

ONLY = "components: {a: {score: m}}"
FAILED = Invalid("model_error", "the model failed")


def evaluate(recipe: str, batch: Batch, values: list[float], **scores: Any) -> Rewards:
    raw = RawScores(np.array(values).reshape(-1, 1), "m", "1", np.zeros(len(values), np.bool_), **scores)
    rewards: Any = run_pure(evaluate_plan(compile_recipe(recipe), batch, {"a": raw}))  # type: ignore[arg-type]
    assert isinstance(rewards, Rewards)
    return rewards


def test_which_recipes_only_ask_a_model() -> None:
    plan = compile_recipe(ONLY)
    assert plan.only_model is plan.components[0]
    for more in (
        "components: {a: {score: m, transforms: [sigmoid]}}",
        "components: {a: {score: m}}\nguards: [empty_response]",
        "components: {a: {score: m}}\ncombine: weighted_sum",
        "components: {a: {score: m}}\ngroup: {normalize: mean}",
        "components: {a: {score: m}, b: {score: n}}\ncombine: weighted_sum",
        "components: {a: {score: length_penalty}}",
    ):
        assert compile_recipe(more).only_model is None, more


@pytest.mark.parametrize("noticed", [{}, {1: ("template_marks",)}])
def test_the_numbers_are_the_models_whether_or_not_anything_was_noticed(noticed: dict[int, tuple[str, ...]]) -> None:
    batch = batch_of(3)
    batch.flags = noticed
    found = evaluate(ONLY, batch, [0.25, -1.5, 3.0])
    assert found.reward.tolist() == [0.25, -1.5, 3.0]
    part = found.components["a"]
    assert (part.raw.tolist(), part.value.tolist()) == ([0.25, -1.5, 3.0],) * 2
    assert (part.model, part.model_version, part.cached is not None) == ("m", "1", True)
    assert (found.flags, found.invalid, found.rewards, found.reward_raw) == (noticed, {}, None, None)
    found.reward[0] = 9.0  # a default, say
    assert part.value.tolist() == [0.25, -1.5, 3.0]


def test_failures_of_the_model_and_of_samples_keep_their_reasons() -> None:
    batch = batch_of(3)
    batch.invalid[0] = Invalid("missing_field", "no prompt")
    found = evaluate(ONLY, batch, [np.nan, np.nan, 3.0], invalid={1: FAILED}, flags={2: ("truncated",)})
    assert np.isnan(found.reward[:2]).all()
    assert {row: reason.code for row, reason in found.invalid.items()} == {0: "missing_field", 1: "model_error"}
    assert found.flags == {2: ("truncated",)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_no_reward(value: float) -> None:
    found = evaluate(ONLY, batch_of(2), [value, 1.0])
    assert found.invalid[0].code == "not_finite"
    assert np.isnan(found.reward[0])
    assert found.reward[1] == 1.0


def test_very_large_numbers_whose_sum_runs_over_are_rewards() -> None:
    found = evaluate(ONLY, batch_of(2), [1.7e308, 1.7e308])
    assert (found.reward.tolist(), found.invalid) == ([1.7e308, 1.7e308], {})


def test_an_empty_batch_has_no_rewards() -> None:
    assert evaluate(ONLY, Batch([], [], []), []).reward.tolist() == []
