"""recipes/step_fields.py and plan.py: what is known of a recipe before a request comes, so that none has to ask."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.recipes.plan import Plan
from reward_gateway.recipes.step import Step
from reward_gateway.recipes.step_fields import StepField

from tests.recipes.conftest import compile_recipe

SIGMOID = "components: {a: {score: given, transforms: [{log_sigmoid: %s}]}}"
EXACT = "components: {a: {score: exact_match, inputs: %s}}"


def field_of(step: Step | None, name: str) -> StepField:
    assert step is not None
    return next(field for field in step.fields if field.name == name)


def test_a_step_knows_every_field_of_its_operation_in_their_order() -> None:
    step = compile_recipe(SIGMOID % "{reference: 0.0}").components[0].transforms[0]
    assert [field.name for field in step.fields] == list(step.operation.item.model_fields)
    assert [field.required for field in step.fields] == [
        field.is_required() for field in step.operation.item.model_fields.values()
    ]


@pytest.mark.parametrize(
    ("inputs", "param"),
    [("{}", "response"), ("{response: {sample: prompt}}", "prompt"), ("{response: {feature: x}}", "features.x")],
)
def test_a_field_says_which_value_of_the_sample_it_reads(inputs: str, param: str) -> None:
    step = compile_recipe(EXACT % inputs).components[0].step
    field = field_of(step, "response")
    assert field.param == param == (step.find_param("response") if step else None)
    assert field.reads_prompt == (param == "prompt")
    assert field.reads_sample == (inputs == "{}")


@pytest.mark.parametrize(
    ("column", "fits"),
    [(np.zeros(2), True), ([0.5, 1.0], False), ([np.zeros(2), None], False), ({"a": np.zeros(2)}, False)],
)
def test_arrays_of_numbers_are_known_to_fit_where_any_number_does(column: Any, fits: bool) -> None:
    transform = compile_recipe(SIGMOID % "{}").components[0].transforms[0]
    assert field_of(transform, "reward").is_fitting(column) == fits


def test_a_constant_and_the_samples_own_field_need_no_look() -> None:
    plan = compile_recipe(SIGMOID % "{reference: 0.5}")
    assert field_of(plan.components[0].transforms[0], "reference").is_fitting(["anything"])
    assert field_of(compile_recipe(EXACT % "{}").components[0].step, "response").is_fitting(["any text", None])


def test_vectors_are_known_to_fit_where_lists_of_numbers_do() -> None:
    transform = compile_recipe(SIGMOID % "{reference_rewards: {feature: x}}").components[0].transforms[0]
    field = field_of(transform, "reference_rewards")
    assert field.is_fitting([np.zeros(3), None])
    assert not field.is_fitting([np.zeros((3, 2))])
    assert not field.is_fitting([[0.5]])
    assert field.find_default() is None


RECIPE = """
components:
  a: {score: m}
  b: {score: n}
  c: {score: m, text: final, transforms: [sigmoid]}
  d: {score: m}
  e: {score: length_penalty}
combine: {weighted_sum: {}}
"""


def test_a_plan_asks_each_model_once_for_each_part_of_the_response() -> None:
    plan: Plan = compile_recipe(RECIPE)
    assert [(call.part, call.models, [c.name for c, _ in call.readers]) for call in plan.model_calls] == [
        ("whole", ("m", "n"), ["a", "b", "d"]),
        ("final", ("m",), ["c"]),
    ]
    assert [component.scored_first for component in plan.components] == [True] * 5


def test_a_component_that_reads_another_or_keeps_state_is_not_scored_first() -> None:
    plan = compile_recipe(
        "components: {a: {score: length_penalty}, b: {score: given, inputs: {value: {component: a}}}}\n"
        "combine: {weighted_sum: {}}"
    )
    assert [component.scored_first for component in plan.components] == [True, False]
