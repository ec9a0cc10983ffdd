"""Features of any shape over every field that a recipe can bind, and every member that a group reads: never a 500,
and a reward is a number or null."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import InvalidRecipe
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.recipes.book import RecipeBook, load_book
from reward_gateway.recipes.fields import infer_shape, member_model, table_field, takes_group, value_field
from reward_gateway.recipes.plan import Plan
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from starlette.testclient import TestClient

from tests.http.conftest import Letters

FEATURE = "odd"
GIVEN = {"score": "given", "inputs": {"value": {"feature": "base"}}}
STEPS = {"score": "given_steps", "inputs": {"values": {"feature": "steps_base"}}}
BASE = {"base": 0.5, "steps_base": [0.25, 0.5], "other": 1.5}

NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, 3, 1e308, -1e308, 5e-324, 2**53, 1e17]) | st.floats(
    allow_nan=False, allow_infinity=False
)
VALUES = NUMBERS | st.lists(NUMBERS | st.lists(NUMBERS | st.lists(NUMBERS, max_size=2), max_size=3), max_size=4)


def arguments_of(operation: Operation, field: str) -> Iterator[dict[str, Any]]:
    """Parameters and constants of worked examples, with one field bound to a feature."""
    for example in examples_of(operation.kind, operation.name) or ():
        if example.items and isinstance(example.items[0], dict):
            held = {name: value for name, value in example.items[0].items() if name != field}
            yield {**example.params, **held, field: {"feature": FEATURE}}
    yield {field: {"feature": FEATURE}}


def recipe_of(operation: Operation, arguments: dict[str, Any]) -> dict[str, Any]:
    fields = operation.item.model_fields
    if operation.kind == "score":
        made: dict[str, Any] = {"components": {"a": {"score": operation.name, "params": arguments}}}
        if operation.returns == "vector":
            made["components"]["a"]["transforms"] = [{"aggregate": {}}]
        return made
    if operation.kind == "transform":
        taken = value_field(operation)
        vector = taken is not None and infer_shape(fields[taken]) == "vector" and operation.returns != "vector"
        step = {operation.name: {name: value for name, value in arguments.items() if name != taken}}
        return {"components": {"a": {**(STEPS if vector else GIVEN), "transforms": [step]}}}
    other = {"score": "given", "inputs": {"value": {"feature": "other"}}}
    if operation.kind == "combine":
        taken = table_field(operation)
        step = {operation.name: {name: value for name, value in arguments.items() if name != taken}}
        return {"components": {"a": GIVEN, "b": other}, "combine": step}
    provided = {"reward", "outcome", value_field(operation)}
    credit = {operation.name: {name: value for name, value in arguments.items() if name not in provided}}
    return {"components": {"a": STEPS}, "credit": credit}


@cache
def plans() -> dict[str, Plan]:
    """Recipes by name: one for each field of an operation that a recipe can bind to a feature, or that a member has."""
    found: dict[str, Plan] = {}
    for operation in catalog():
        if operation.kind == "audit":
            continue
        for field in operation.item.model_fields:
            for arguments in arguments_of(operation, field):
                name = f"{operation.kind}.{operation.name}.{field}"
                text = json.dumps({"rewards": {name: recipe_of(operation, arguments)}})
                try:
                    found[name] = load_book(text).get(name)
                    break
                except InvalidRecipe:
                    continue
    return found


def names_read(name: str) -> list[str]:
    """Features that a recipe reads: the bound one, or those that members of its groups are made of."""
    plan = plans()[name]
    end = plan.combine or plan.credit
    if end is not None and (takes_group(end.operation) or table_field(end.operation) == "group"):
        field = "group" if "group" in end.operation.item.model_fields else "trajectories"
        model = member_model(end.operation, field)
        return [FEATURE, *(model.model_fields if model is not None else ())]
    return [FEATURE]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    runtime = EffectsRuntime(CachedScorer(Letters(), NullCache()), state=StateStore.in_process())
    book = RecipeBook(plans(), next(iter(plans())))
    app = create_app(Gateway(book, runtime), Settings())
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as serving:
        yield serving


def test_most_operations_are_reached() -> None:
    reached = {tuple(name.split(".")[:2]) for name in plans()}
    assert len(plans()) >= 150
    assert len(reached) >= 90
    assert {kind for kind, _ in reached} == {"score", "transform", "combine", "credit"}


# A number that runs over warns in numpy, which is no failure of a request.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", sorted(plans()))
@given(data=st.data())
@settings(max_examples=12)
def test_features_of_any_shape_are_scored_or_refused(client: TestClient, name: str, data: st.DataObject) -> None:
    odd = st.fixed_dictionaries({}, optional=dict.fromkeys(names_read(name), VALUES))
    rows = data.draw(st.lists(odd, min_size=1, max_size=3))
    samples = [{"prompt": "p", "response": "a b", "reference": "a", "features": {**BASE, **row}} for row in rows]
    answer = client.post("/v1/score", json={"reward": name, "samples": samples})
    # 404: the recipe names a judge, a model or a stored set that is not there, whatever the sample says.
    assert answer.status_code in (200, 404, 503), answer.text
    for result in answer.json()["results"] if answer.status_code == 200 else ():
        reward = result["reward"]
        assert reward is None or type(reward) in (int, float)
        assert result["valid"] is (reward is not None) or result["rewards"] is not None
        assert result["valid"] is (result["error"] is None)
        for component in result["components"].values():
            assert component["value"] is None or type(component["value"]) in (int, float)
    assert client.get("/v1/monitor").status_code == 200
