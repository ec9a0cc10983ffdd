"""A recipe as text: stages in their order, and in words where each component is computed."""

from collections.abc import Mapping
from typing import Any

import pytest
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.implicit_recipes import find_implicit_recipe
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.recipes.picture import describe_conditions, describe_use, draw_recipe

RECIPES = """
rewards:
  staged:
    description: Everything that a recipe may have.
    components:
      correct: {score: math_equivalence}
      brevity: {score: length_penalty, params: {free_words: 300}, transforms: [{affine: {scale: 0.5}}, sigmoid]}
      quality:
        score: judge_rubric
        params: {judge: judge, low: 0, high: 10, criteria: {quality: How clear and complete the reasoning is.}}
        when: {correct: {at_least: 1}}
        otherwise: 0
        timeout_s: 20
        on_timeout: otherwise
      style: {score: style_rm, text: final, when: {group: {spread_of: correct, above: 0}}, otherwise: -1}
      second: {score: big_rm, dimension: help, when: {sample: 0.05}, audit: true}
      task:
        score:
          by: metadata.task
          cases:
            math: {score: math_equivalence}
            chat: {score: text_preference, transforms: [sigmoid]}
          default: invalid
    guards: [empty_response, {too_long: {max_words: 2, action: zero}}, {saturated: {component: brevity, high: 5}}]
    combine: {weighted_sum: {weights: {correct: 1, quality: 2, style: 1, task: 1}}, then: {add: [brevity]}}
    group: {normalize: zscore}
  steps:
    components: {process: {score: process_reward, params: {model: prm}}}
    credit: {steps_and_outcome: {step_rewards: {component: process}, outcome: 1.0}}
  plain: {components: {only: {score: text_preference}}}
"""
STAGED = """\
Everything that a recipe may have.
reads response, reference, prompt, metadata.task; returns a scalar; grouped

before all else
  empty_response  flag
  too_long        zero

stage 1
  correct  math_equivalence
  brevity  length_penalty (free_words 300) → affine (scale 0.5) → sigmoid
  second   model big_rm (help)
           where it is in the share of 0.05
           an audit, outside the reward
  task     by metadata.task; what has none of these is invalid
    math   math_equivalence
    chat   model text_preference → sigmoid

stage 2
  quality  judge_rubric (judge judge, low 0, high 10, criteria {quality: How clear and complete the
             reasoning is.})
           where correct is at least 1
           otherwise 0
           within 20 s, then 0
  style    model style_rm, of final
           where the spread of correct in its group is above 0
           otherwise -1

guards
  saturated  flag

reward
  combine  weighted_sum (weights {correct: 1, quality: 2, style: 1, task: 1}) of correct, quality,
             style, task
  add      brevity
  group    zscore"""
STEPS = """\
reads prompt; returns a vector

components
  process  process_reward (model prm)

rewards
  of      process
  credit  steps_and_outcome (step_rewards {component: process}, outcome 1.0)"""
PLAIN = """\
reads prompt, response; returns a scalar

components
  only  model text_preference

reward
  of  only"""


@pytest.mark.parametrize(("name", "drawn"), [("staged", STAGED), ("steps", STEPS), ("plain", PLAIN)])
def test_a_recipe_is_drawn(name: str, drawn: str) -> None:
    plan = load_book(RECIPES).get(name)
    first, *lines = draw_recipe(plan.describe())
    assert first == f"{name}  {plan.version}"
    assert "\n".join(lines) == drawn


def test_a_cohort_is_drawn() -> None:
    recipe = """
    rewards:
      r:
        components: {only: {score: text_preference}}
        group: {normalize: mean, cohort: {size: 8, timeout_s: 3}}
    """
    assert draw_recipe(load_book(recipe).get("r").describe())[-1] == "  group  mean, over cohorts of 8 samples"


def test_a_served_model_is_drawn_as_the_recipe_that_it_stands_for() -> None:
    models = {"rm": KnownModel(("prompt", "response")), "two": KnownModel(("prompt", "response"), ("safe", "kind"))}
    one, several = (find_implicit_recipe(name, models) for name in models)
    assert one is not None
    assert several is not None
    assert "  score  model rm" in draw_recipe(one.describe())
    assert {"  safe  model two (safe)", "  kind  model two (kind)"} <= set(draw_recipe(several.describe()))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"a": {"at_least": 1, "below": 2.5}}, "where a is at least 1 and is below 2.5"),
        ({"a": {"above": 0}, "b": {"equals": 1}}, "where a is above 0 and b is 1"),
        ({"a": {"flag": "truncated"}}, "where a has the flag truncated"),
        ({"a": {"valid": True}}, "where a has a value"),
        ({"a": {"valid": False}}, "where a has no value"),
        ({"group": {"mean_of": "a", "below": 1}}, "where the mean of a in its group is below 1"),
        ({"has": "reference"}, "where it has reference"),
        ({"has": ["reference", "images"]}, "where it has reference and images"),
        ({"has": "metadata.task", "equals": "math"}, "where metadata.task is math"),
        ({"metadata.task": {"equals": True}}, "where metadata.task is true"),
        ({"sample": 0.1}, "where it is in the share of 0.1"),
        ({"sample": 0.1, "by": "group"}, "where its group is in the share of 0.1"),
        ({"any": [{"a": {"above": 1}, "has": "steps"}, {"b": {"above": 2}}]},
         "where (a is above 1 and it has steps or b is above 2)"),
    ],
)  # fmt: skip
def test_conditions_in_words(when: Mapping[str, Any], said: str) -> None:
    assert describe_conditions(when) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, []),
        ({"optional": True}, ["optional"]),
        ({"timeout_s": 2.5}, ["within 2.5 s, then invalid"]),
        ({"timeout_s": 2, "on_timeout": "otherwise", "otherwise": -1}, ["within 2 s, then -1"]),
        ({"timeout_s": 2, "on_timeout": "otherwise", "audit": True},
         ["within 2 s, then absent", "an audit, outside the reward"]),
    ],
)  # fmt: skip
def test_what_a_component_is_elsewhere(written: Mapping[str, Any], said: list[str]) -> None:
    assert describe_use(written) == said
