"""A sample that is alone in what it is compared within has no reward, whatever compares it.

What compares is found in the registry and in the schema of recipes, so that a new method is held to it as it stands.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

import numpy as np
import pytest
import yaml
from reward_gateway.operations.apply import apply, run_pure
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.recipes.evaluation import Rewards
from reward_gateway.recipes.fields import table_field, value_field
from reward_gateway.recipes.group import normalize_in_cohort
from reward_gateway.recipes.schema import CohortSpec, GroupSpec
from reward_gateway.sample import Invalid

from .conftest import batch_of, compile_recipe, run_plan

Params = dict[str, Any]
Features = dict[str, Any]


class Method(NamedTuple):
    """An operation with parameters with which the answer to a sample depends on others, and items of its examples."""

    operation: Operation
    params: Params
    items: list[Any]

    @property
    def id(self) -> str:
        return f"{self.operation.kind}/{self.operation.name} {json.dumps(self.params)}"


def vary(operation: Operation, base: Params) -> Iterator[Params]:
    """Parameters, and those with another choice of one that has a few."""
    yield base
    for name, field in operation.params.model_fields.items():
        choices = [choice for kind in (field.annotation, *get_args(field.annotation)) for choice in list_choices(kind)]
        for choice in choices:
            yield {**base, name: choice}


def list_choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else (True, False) if kind is bool else ()


def find_methods() -> list[Method]:
    found: dict[str, Method] = {}
    for operation in catalog():
        for example in examples_of(operation.kind, operation.name):
            for params in vary(operation, example.params):
                try:
                    parsed = operation.params.model_validate(params)
                except ValueError:
                    continue
                if operation.kind != "audit" and not example.given and operation.is_grouped(parsed):
                    method = Method(operation, params, example.items)
                    found.setdefault(method.id, method)
    return list(found.values())


METHODS = find_methods()
COMPARING = [
    method
    for method in METHODS
    if method.operation.find_comparison(method.operation.params.model_validate(method.params)) is not None
]
NAMES = {f"{method.operation.kind}/{method.operation.name}" for method in COMPARING}


def test_the_methods_are_found() -> None:
    assert {"transform/group_normalise", "combine/gdpo", "credit/igpo", "credit/prime", "score/likelihood"} <= NAMES


def ask(operation: Operation, items: list[Any], params: Params) -> list[Any]:
    answered: Any = run_pure(apply(operation, items, params))  # type: ignore[arg-type]
    return [(result.get("reward"), result.get("rewards")) for result in answered]


@pytest.mark.parametrize("method", [m for m in METHODS if m not in COMPARING], ids=lambda method: method.id)
def test_what_names_nothing_that_it_compares_with_compares_within_an_item(method: Method) -> None:
    """Its item is the whole group, as a list: other samples change nothing, or it must say that they do."""
    operation, params, items = method
    others = [item for example in examples_of(operation.kind, operation.name) for item in example.items]
    together = ask(operation, [*items, *others], params)[: len(items)]
    assert [ask(operation, [item], params)[0] for item in items] == together


# Each method that compares, as a step of a recipe over samples with the fields of its own example.


def recipe_of(method: Method) -> str:
    operation, params, _ = method
    step = {operation.name: params}
    given: Params = {"score": "given", "inputs": {"value": {"feature": "x"}}}
    recipe: Params
    if operation.kind == "score":
        fields = {name: {"feature": name} for name in operation.item.model_fields if name != "group"}
        recipe = {"components": {"a": {"score": operation.name, "params": params, "inputs": fields}}}
    elif operation.kind == "transform":
        vector = value_field(operation) == "step_rewards"
        steps = {"score": "given_steps", "inputs": {"values": {"feature": "step_rewards"}}}
        closing = [{"aggregate": {"how": "sum"}}] if vector else []
        recipe = {"components": {"a": {**(steps if vector else given), "transforms": [step, *closing]}}}
    elif operation.kind == "combine":
        over = {name: {"score": "given", "inputs": {"value": {"feature": name}}} for name in list_components(method)}
        recipe = {"components": over, "combine": step}
    else:
        recipe = {"components": {"outcome": given}, "credit": step}
    return yaml.safe_dump(recipe)


def list_components(method: Method) -> list[str]:
    """The names of a combiner's components: those of the table of its example, or the numbers of a member."""
    field = table_field(method.operation)
    assert field is not None
    table = method.items[0][field]
    members = table[0] if isinstance(table, list) else table
    return [name for name, value in members.items() if isinstance(value, int | float)]


def samples_of(method: Method) -> list[Features]:
    """Two samples or more: the members of the example's group, or its items."""
    field = next((name for name in ("group", "trajectories") if isinstance(method.items[0].get(name), list)), None)
    rows = [*method.items[0][field]] if field else [*method.items]
    rows = rows if len(rows) > 1 else rows * 2
    table = table_field(method.operation) if method.operation.kind == "combine" and not field else None
    if method.operation.kind == "transform":  # the value alone: further fields may change what is answered
        name = value_field(method.operation) or "reward"
        rows = [{name: row[name]} for row in rows]
    rows = [row[table] if table and isinstance(row[table], dict) else row for row in rows]
    return [{"x": row.get("reward", 0.25 * k), **to_features(row)} for k, row in enumerate(rows)]


def to_features(row: Mapping[str, Any]) -> Features:
    return {name: value for name, value in row.items() if name != "group" and value is not None}


def evaluate(recipe: str, features: list[Features]) -> Rewards:
    return run_plan(compile_recipe(recipe), batch_of(len(features), features=features, responses=["r"] * len(features)))


def codes(result: Rewards) -> list[str | None]:
    return [result.invalid[i].code if i in result.invalid else None for i in range(len(result.reward))]


@pytest.mark.parametrize("method", COMPARING, ids=lambda method: method.id)
def test_a_lone_sample_and_the_only_valid_one_of_two_have_no_reward(method: Method) -> None:
    recipe, samples = recipe_of(method), samples_of(method)
    assert codes(evaluate(recipe, samples)) == [None] * len(samples), "with others it is scored"
    lone = evaluate(recipe, samples[:1])
    assert codes(lone) == ["group_of_one"]
    assert math.isnan(lone.reward[0])
    first, second = codes(evaluate(recipe, [samples[0], {}]))
    assert first == "group_of_one"
    assert second not in (None, "group_of_one")


@pytest.mark.parametrize("single", ["raw", "zero"])
@pytest.mark.parametrize("method", COMPARING, ids=lambda method: method.id)
def test_unless_the_recipe_says_what_it_gets(method: Method, single: str) -> None:
    recipe = yaml.safe_dump({**yaml.safe_load(recipe_of(method)), "group": {"single": single}})
    result = evaluate(recipe, samples_of(method)[:1])
    if method.params.get("k", 1) > 1:  # the best of k is no number of fewer
        assert codes(result) == ["invalid_field"]
        return
    assert codes(result) == [None]
    assert math.isfinite(result.reward[0])
    if single == "zero":
        assert result.reward.tolist() == [0.0]
        assert result.rewards is None or not np.any(np.concatenate([np.ravel(part) for part in result.rewards[0]]))


HOW = [how for how in get_args(GroupSpec.model_fields["normalize"].annotation) if how != "none"]
GIVEN = {"components": {"a": {"score": "given", "inputs": {"value": {"feature": "x"}}}}}


@pytest.mark.parametrize("how", HOW)
def test_so_it_is_with_every_normalisation_of_a_group(how: str) -> None:
    recipe = yaml.safe_dump({**GIVEN, "group": {"normalize": how}})
    assert codes(evaluate(recipe, [{"x": 0.5}])) == ["group_of_one"]
    assert codes(evaluate(recipe, [{"x": 0.5}, {}])) == ["group_of_one", "missing_field"]
    assert codes(evaluate(recipe, [{"x": 0.5}, {"x": 0.5}])) == [None, None]
    combined = yaml.safe_dump({**GIVEN, "group": {"normalize": how, "answer": "combined"}})
    assert evaluate(combined, [{"x": 0.5}]).reward.tolist() == [0.5]
    assert evaluate(combined, [{"x": 0.5}, {}]).reward.tolist()[:1] == [0.5]


@pytest.mark.parametrize("incomplete", get_args(CohortSpec.model_fields["incomplete"].annotation))
@pytest.mark.parametrize("how", HOW)
def test_and_with_a_cohort_that_closes_with_one_valid_member(how: str, incomplete: str) -> None:
    spec = GroupSpec.model_validate({"normalize": how, "cohort": {"size": 4, "incomplete": incomplete}})
    assert spec.cohort is not None
    for members in ([[0.5, 0.5]], [[0.5, 0.5], [math.nan, math.nan]]):
        found = normalize_in_cohort(spec, spec.cohort, ["a"], np.array(members), 0)
        assert isinstance(found, Invalid)
        assert found.code == "group_of_one"
    for single, expected in (("raw", 0.5), ("zero", 0.0)):
        chosen = spec.model_copy(
            update={"single": single, "cohort": CohortSpec(size=2, timeout_s=1, incomplete="score")}
        )
        assert chosen.cohort is not None
        assert normalize_in_cohort(chosen, chosen.cohort, ["a"], np.array([[0.5, 0.5]]), 0) == expected
