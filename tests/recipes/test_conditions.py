"""Faults of conditions are told with their paths and places; a good one compiles to stages."""

import json
from textwrap import dedent
from typing import Any

import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.compile import hash_recipe
from reward_gateway.recipes.schema import RecipeSpec, json_schema
from reward_gateway.recipes.stages import find_circle, find_stages

from tests.recipes.conftest import compile_recipe

RECIPE = """
components:
  correct: {{score: given, inputs: {{value: {{feature: correct}}}}}}
  quality: {{score: rm, {quality}}}
combine: weighted_sum
{more}
"""


def faults_of(quality: str, more: str = "") -> list[tuple[str, str]]:
    with pytest.raises(InvalidRecipe) as refused:
        compile_recipe(RECIPE.format(quality=quality, more=dedent(more)))
    for fault in refused.value.faults:
        assert fault["place"].startswith("line ")
        assert ", column " in fault["place"]
    return [(fault["path"].removeprefix("rewards.r."), fault["message"]) for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("quality", "path", "says"),
    [
        ("when: {correct: {at_least: 1}}", "components.quality.when", "otherwise"),
        ("otherwise: 0", "components.quality.otherwise", "needs `when`"),
        ("when: {corect: {at_least: 1}}, otherwise: 0", "components.quality.when.corect", "did you mean 'correct'"),
        ("when: {quality: {at_least: 1}}, otherwise: 0", "components.quality.when", "quality → quality"),
        ("when: {correct: {}}, otherwise: 0", "components.quality.when.correct", "say what has to hold"),
        ("when: {correct: 1}, otherwise: 0", "components.quality.when.correct", "a mapping"),
        (
            "when: {correct: {at_leest: 1}}, otherwise: 0",
            "components.quality.when.correct.at_leest",
            "did you mean 'at",
        ),
        ("when: {correct: {above: high}}, otherwise: 0", "components.quality.when.correct.above", "number"),
        ("when: {correct: {valid: true}}, otherwise: 0", "components.quality.when.correct.valid", "not `optional`"),
        ("when: {}, otherwise: 0", "components.quality.when", "a mapping"),
        ("when: {any: []}, otherwise: 0", "components.quality.when.any", "a list"),
        ("when: {any: [{corect: {above: 1}}]}, otherwise: 0", "components.quality.when.any[0].corect", "no component"),
        ("when: {has: refrence}, otherwise: 0", "components.quality.when.has", "no key 'refrence'"),
        ("when: {has: []}, otherwise: 0", "components.quality.when.has", "a key of the sample"),
        ("when: {equals: 1}, otherwise: 0", "components.quality.when.equals", "belongs to `has`"),
        ("when: {metadata.task: {above: 1}}, otherwise: 0", "components.quality.when.metadata.task.equals", "required"),
        ("when: {sample: 0}, otherwise: 0", "components.quality.when.sample", "greater than 0"),
        ("when: {sample: 1.5}, otherwise: 0", "components.quality.when.sample", "less than or equal"),
        ("when: {sample: 0.5, by: prompt}, otherwise: 0", "components.quality.when.by", "group"),
        ("when: {correct: {above: 0}, by: group}, otherwise: 0", "components.quality.when.by", "belongs to `sample`"),
        ("when: {group: {above: 0}}, otherwise: 0", "components.quality.when.group", "name one component"),
        ("when: {group: {spread_of: correct}}, otherwise: 0", "components.quality.when.group", "say what has to hold"),
        (
            "when: {group: {spread_of: corect, above: 0}}, otherwise: 0",
            "components.quality.when.group.spread_of",
            "did",
        ),
        ("when: {has: reference}, otherwise: .nan", "components.quality.otherwise", "finite"),
    ],
)
def test_faults(quality: str, path: str, says: str) -> None:
    assert any(path == found and says in message for found, message in faults_of(quality)), faults_of(quality)


def test_conditions_of_a_circle_name_it() -> None:
    recipe = """
    components:
      a: {score: m, when: {b: {above: 0}}, otherwise: 0}
      b: {score: n, when: {c: {above: 0}}, otherwise: 0}
      c: {score: o, when: {a: {above: 0}}, otherwise: 0}
    combine: weighted_sum
    """
    with pytest.raises(InvalidRecipe, match="a → b → c → a"):
        compile_recipe(recipe)
    needs = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("b"), "d": frozenset[str]()}
    assert find_stages(needs) == [["d"]]
    assert find_circle(needs) == ["b", "c", "b"]
    assert find_circle({"a": frozenset[str]()}) == ()


def test_a_cohort_a_vector_and_a_comparison_allow_no_condition_that_they_cannot_keep() -> None:
    spread = "when: {group: {spread_of: correct, above: 0}}, otherwise: 0"
    cohort = "group: {normalize: rloo, cohort: {size: 2}}"
    assert any("cohort" in message for _, message in faults_of(spread, cohort))
    vector = """
    components:
      steps: {score: given_steps, inputs: {values: {feature: v}}, when: {has: reference}, otherwise: 0}
    credit: renorm
    """
    with pytest.raises(InvalidRecipe, match="gives a vector per sample"):
        compile_recipe(vector)
    ranked = "when: {correct: {above: 0}}, otherwise: 0, transforms: [group_normalise]"
    assert any("compares the samples of a group" in message for _, message in faults_of(ranked))
    share = "when: {sample: 0.5}, otherwise: 0"
    assert any("by: group" in message for _, message in faults_of(share, "group: {normalize: mean}"))
    for allowed in ("when: {sample: 0.5, by: group}, otherwise: 0", "when: {sample: 0.5}, audit: true"):
        compile_recipe(RECIPE.format(quality=allowed, more="group: {normalize: mean}"))


def test_an_audit_is_read_by_nothing() -> None:
    audit = "when: {correct: {above: 0}}, audit: true"
    for more, says in (
        ("guards: [{saturated: {component: quality, high: 1}}]", "is an audit"),
        ("group: {normalize: gdpo, weights: {quality: 1}}", "quality"),
    ):
        assert any(says in message for _, message in faults_of(audit, more))
    over = RECIPE.format(quality=audit, more="").replace("weighted_sum", "{weighted_sum: {over: [quality]}}")
    with pytest.raises(InvalidRecipe, match="is an audit"):
        compile_recipe(over)
    with pytest.raises(InvalidRecipe, match="an audit, and decides nothing"):
        compile_recipe("components: {a: {score: m, when: {b: {above: 0}}, otherwise: 0}, b: {score: n, audit: true}}")
    with pytest.raises(InvalidRecipe, match="all of them are audits"):
        compile_recipe("components: {a: {score: m, audit: true}}")


def test_a_recipe_without_conditions_has_no_stages_and_keeps_its_version() -> None:
    written: dict[str, Any] = {"components": {"a": {"score": "m"}}}
    assert compile_recipe(json.dumps(written)).stages == ()
    explicit = {"components": {"a": {"score": "m", "when": None, "otherwise": None, "audit": False}}}
    assert hash_recipe(RecipeSpec.model_validate(written)) == hash_recipe(RecipeSpec.model_validate(explicit))


def test_a_component_that_only_a_condition_reads_is_used() -> None:
    plan = compile_recipe(
        RECIPE.format(quality="when: {correct: {above: 0}}, otherwise: 0", more="").replace(
            "weighted_sum", "{weighted_sum: {weights: {quality: 2}}}"
        )
    )
    assert [[component.name for component in stage] for stage in plan.stages] == [["correct"], ["quality"]]
    assert (plan.grouped, plan.splittable, plan.needs_group) == (False, True, False)


def test_a_condition_on_the_group_makes_the_recipe_grouped() -> None:
    plan = compile_recipe(RECIPE.format(quality="when: {group: {spread_of: correct, above: 0}}, otherwise: 0", more=""))
    assert (plan.grouped, plan.splittable, plan.needs_group, plan.comparisons) == (True, False, True, ("group",))


def test_keys_are_listed_as_inputs() -> None:
    plan = compile_recipe(RECIPE.format(quality="when: {has: [reference, metadata.task]}, otherwise: 0", more=""))
    assert plan.inputs == ("features.correct", "prompt", "response", "reference", "metadata.task")
    assert plan.reads_metadata
    assert "reference" in plan.reads


def test_the_published_schema_knows_conditions() -> None:
    component = json_schema()["$defs"]["ComponentSpec"]["properties"]
    assert {"group", "sample", "by", "has", "equals", "any"} == set(component["when"]["anyOf"][0]["properties"])


def test_names_of_shipped_recipes_still_load() -> None:
    assert load_book("rewards: {r: {components: {sample: {score: m}}}}").get("r").stages == ()
