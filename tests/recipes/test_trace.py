"""The steps that lead to a reward add up to it, for whatever a recipe is made of."""

import asyncio
import math
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.recipes.book import RecipeBook, load_book
from reward_gateway.recipes.trace import Bar, Trace, explain_reward
from reward_gateway.sample import Batch, Scored
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime

from tests.http.conftest import KNOWN, Letters

RECIPES = """
rewards:
  model: {components: {quality: {score: letters}}}
  one:
    components: {quality: {score: letters, transforms: [{affine: {scale: 0.5, shift: 1}}, {clip: {low: 0, high: 4}}]}}
  weighted:
    components:
      quality: {score: letters, transforms: [{affine: {scale: 0.5}}]}
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.25}}
    combine: {weighted_sum: {weights: {quality: 2.0, brevity: 0.5}}}
  plain_sum:
    components:
      quality: {score: letters}
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.25}}
      extra: {score: length_penalty, params: {free_words: 0, per_word: 1}}
    combine: {weighted_sum: {over: [quality, brevity]}, then: {add: [extra]}}
  gated:
    components:
      quality: {score: letters}
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.25}}
    combine: {gate: {gate: quality, threshold: 3}}
  grouped:
    components:
      quality: {score: letters}
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.25}}
    combine: weighted_sum
    group: {normalize: zscore}
  guarded:
    components: {quality: {score: letters}}
    guards: [{empty_response: {action: zero}}]
    group: {baseline: mean, scale: none}
  staged:
    components:
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.25}}
      quality:
        {score: letters, transforms: [{affine: {scale: 3}}], when: {brevity: {at_least: -0.3}}, otherwise: 0.5}
    combine: {weighted_sum: {weights: {quality: -1.5, brevity: 1}}}
"""

COMBINERS = {
    "mean": "mean",
    "product": "product",
    "geometric": "{geometric: {weights: {quality: 0.5, brevity: 2}}}",
    "welfare": "geometric",
    "krc": "krc",
    "least": "min",
    "greatest": "max",
    "pessimist": "{ensemble: {how: mean_minus_std}}",
    "worst": "{ensemble: {how: min}}",
    "middle": "{ensemble: {how: median}}",
    "closed": "{gate: {gate: quality, threshold: 3, count_gate: false, weights: {brevity: 2}}}",
    "mixture": "{gated: {gates: {quality: brevity, brevity: quality}}}",
    "ordered": "{lexicographic: {order: [{name: quality, high: 12, steps: 3}, {name: brevity, low: -3, high: 0}]}}",
    "floored": "{weighted: {weights: {quality: 0.25, brevity: 0.75}, bounds: {quality: [0, 4]}, floor: -0.5}}",
    "logic": "{log_sigmoid_sum: {references: {quality: 1, brevity: 0}}}",
}
RECIPES += "".join(
    f"""  {name}:
    components:
      quality: {{score: letters}}
      brevity: {{score: length_penalty, params: {{free_words: 1, per_word: 0.25}}}}
    combine: {combine}
"""
    for name, combine in COMBINERS.items()
)


@cache
def load_recipes() -> RecipeBook:
    return load_book(RECIPES, KNOWN)


def score(recipe: str, responses: list[str], trace: Trace | None) -> tuple[Any, Scored]:
    """The recipe's answer; of a gateway of its own."""

    async def run() -> tuple[Any, Scored]:
        runtime = EffectsRuntime(CachedScorer(Letters(), NullCache()), known_models=KNOWN)
        gateway = Gateway(load_recipes(), runtime)
        batch = Batch([str(i) for i in range(len(responses))], ["p"] * len(responses), list(responses))
        try:
            plan = gateway.get_plan(recipe)
            return plan, await gateway.score_by(plan, batch, ScoreOptions(trace=trace))
        finally:
            await gateway.close()

    return asyncio.run(run())


FEW = settings(max_examples=8)
NAMES = ("model", "one", "weighted", "plain_sum", "gated", "grouped", "guarded", "staged", *COMBINERS)
RESPONSES = st.lists(st.text("ab ", max_size=12), min_size=2, max_size=4)


@pytest.mark.parametrize("recipe", NAMES)
@FEW
@given(responses=RESPONSES)
def test_the_steps_add_up_to_the_reward_and_change_nothing(recipe: str, responses: list[str]) -> None:
    trace = Trace()
    plan, scored = score(recipe, responses, trace)
    _, untraced = score(recipe, responses, None)
    assert scored.reward.tobytes() == untraced.reward.tobytes()
    for row, reward in enumerate(scored.reward.tolist()):
        bars = explain_reward(plan, scored, trace, row)
        if row in scored.invalid:
            assert bars == []
        else:
            assert math.isclose(sum(bar.change for bar in bars), reward, rel_tol=1e-9, abs_tol=1e-9)


@FEW
@given(responses=RESPONSES)
def test_the_last_transform_gives_the_components_value(responses: list[str]) -> None:
    trace = Trace()
    _, scored = score("one", responses, trace)
    steps = trace.transforms["quality"]
    assert [step.operation for step in steps] == ["affine", "clip"]
    raw = scored.components["quality"].raw
    assert steps[0].value.tolist() == (0.5 * raw + 1).tolist()
    assert steps[-1].value.tolist() == scored.components["quality"].value.tolist()


def test_components_of_a_weighted_sum_are_steps_of_their_own_with_no_rest() -> None:
    trace = Trace()
    plan, scored = score("weighted", ["aaaa bb cc"], trace)
    assert explain_reward(plan, scored, trace, 0) == [
        Bar("component", "quality", 2 * 0.5 * 10, 2.0),
        Bar("component", "brevity", 0.5 * -0.5, 0.5),
    ]


def steps_of(recipe: str, *responses: str) -> list[list[tuple[str, str, float]]]:
    """Kind, name and change of the steps of each response."""
    trace = Trace()
    plan, scored = score(recipe, list(responses), trace)
    rows = range(len(responses))
    return [[bar[:3] for bar in explain_reward(plan, scored, trace, row)] for row in rows]


@pytest.mark.parametrize(
    ("recipe", "quality", "brevity", "rest"),
    [
        ("mean", 3.5, -0.125, None),
        ("product", 7.0, -8.75, None),
        ("welfare", math.sqrt(7), -math.sqrt(7), None),
        ("krc", -1.0, 0.5, None),
        ("least", 0.0, -0.25, None),
        ("greatest", 7.0, 0.0, None),
        ("pessimist", 3.5, -0.125, -3.625),
        ("gated", 7.0, -0.25, None),
        ("closed", 0.0, -0.5, None),
        ("ordered", 10 / 29, 9 / 29, None),
        ("floored", 1.0, -0.1875, None),
    ],
)
def test_each_component_has_its_part_in_what_a_combiner_makes(
    recipe: str, quality: float, brevity: float, rest: float | None
) -> None:
    (steps,) = steps_of(recipe, "aaaa bb")
    assert dict(step[1:] for step in steps[:2]) == pytest.approx({"quality": quality, "brevity": brevity})
    assert [step[2] for step in steps[2:]] == ([] if rest is None else pytest.approx([rest]))


def test_a_closed_gate_lets_nothing_through() -> None:
    assert steps_of("gated", "aa")[0] == [("component", "quality", 2.0), ("component", "brevity", 0.0)]


def test_what_a_combiner_does_that_adds_nothing_up_is_one_step_of_its_inputs() -> None:
    trace = Trace()
    plan, scored = score("middle", ["aaaa bb"], trace)
    assert explain_reward(plan, scored, trace, 0) == [
        Bar("combine", "ensemble", 3.375, how="of quality 7, brevity -0.25")
    ]


def test_a_guard_and_the_group_are_steps() -> None:
    trace = Trace()
    plan, scored = score("guarded", ["", "aa"], trace)
    assert explain_reward(plan, scored, trace, 0)[1:] == [
        Bar("guard", "empty_response", 0.0),
        Bar("group", "baseline mean, scale none", -1.0),
    ]
    assert explain_reward(plan, scored, trace, 1) == [
        Bar("component", "quality", 2.0),
        Bar("group", "baseline mean, scale none", -1.0),
    ]
