"""Laws of the whole catalogue, tried on the worked examples: one by one as together, in any order, always finite."""

import json
import math
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import pytest
from jsonschema import Draft202012Validator
from reward_gateway.operations.registry import PROJECT_URL, Fidelity, Operation, catalog
from reward_gateway.operations.worked_examples import WorkedExample, examples_of

pytestmark = pytest.mark.anyio

OPERATIONS = [pytest.param(op, id=f"{op.kind}/{op.name}") for op in catalog()]
ALONE = [
    pytest.param(operation, example, id=f"{operation.kind}/{operation.name}: {example.title}")
    for operation in catalog()
    for example in examples_of(operation.kind, operation.name)
    if not (operation.stateful or operation.pooled or example.given)
]


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from numbers(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from numbers(entry)
    elif isinstance(value, float):
        yield value


async def ask(http: httpx.AsyncClient, operation: Operation, items: list[Any], params: Any) -> list[Any]:
    answer = await http.post(f"/v1/{operation.kind}/{operation.name}", json={"items": items, "params": params})
    assert answer.status_code == 200, answer.text
    results: list[Any] = answer.json()["results"]
    return results


def close(one: Any, other: Any) -> bool:
    """Equal to the last few bits: sums over a group may run in another order."""
    example = WorkedExample("", [], {}, [one], 1e-12)
    return not example.differences([other])


@pytest.mark.parametrize(("operation", "example"), ALONE)
async def test_a_request_is_answered_in_the_order_that_it_was_asked(
    http: httpx.AsyncClient, operation: Operation, example: WorkedExample
) -> None:
    items = example.items * 2 if not operation.grouped else example.items
    forward = await ask(http, operation, items, example.params)
    backward = await ask(http, operation, items[::-1], example.params)
    assert all(close(a, b) for a, b in zip(forward, backward[::-1], strict=True))


@pytest.mark.parametrize(("operation", "example"), [case for case in ALONE if not case.values[0].grouped])  # type: ignore[union-attr]
async def test_an_item_alone_has_the_answer_that_it_has_among_others(
    http: httpx.AsyncClient, operation: Operation, example: WorkedExample
) -> None:
    examples = [other for other in examples_of(operation.kind, operation.name) if not other.given]
    others = [item for other in examples for item in other.items]
    together = (await ask(http, operation, [*example.items, *others], example.params))[: len(example.items)]
    alone = [(await ask(http, operation, [item], example.params))[0] for item in example.items]
    for one, other in zip(alone, together, strict=True):
        # A detail that no item of a request has is left out, and null beside one that has it.
        known = {key: value for key, value in one["details"].items() if value is not None}
        assert close({**one, "details": known}, other)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_number_of_an_answer_is_finite(
    http: httpx.AsyncClient, given_world: Any, operation: Operation
) -> None:
    for example in examples_of(operation.kind, operation.name):
        given_world.give(example)
        results = await ask(http, operation, example.items, example.params)
        assert all(math.isfinite(number) for number in numbers(results))
        for result in results:
            assert set(result) <= {"reward", "rewards", "details", "error"}
            assert result["error"] is None or result["reward"] is None


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_empty_request_has_no_results(http: httpx.AsyncClient, operation: Operation) -> None:
    params = examples_of(operation.kind, operation.name)[0].params
    results = await ask(http, operation, [], params)
    assert results == [] or (operation.pooled and results[0]["error"] is not None)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_its_row_of_the_catalogue_is_complete(operation: Operation) -> None:
    row = json.loads(json.dumps(operation.catalog_entry()))
    assert set(row) == {
        *("kind", "name", "summary", "params_schema", "item_schema", "returns"),
        *("source", "fidelity", "stateful", "grouped"),
    }
    for schema in (row["params_schema"], row["item_schema"]):
        Draft202012Validator.check_schema(schema)
    assert row["fidelity"] in get_args(Fidelity)
    assert set(row["source"]) == {"title", "url"}
    assert row["source"]["url"].startswith("https://") or row["source"]["url"] == PROJECT_URL
    assert row["summary"].endswith(".")
    assert row["summary"] != row["name"]
    assert row["returns"] in ("scalar", "vector")


@pytest.mark.parametrize("operation", [case for case in OPERATIONS if case.values[0].fidelity == "design"])  # type: ignore[union-attr]
def test_what_is_this_projects_own_design_names_this_project(operation: Operation) -> None:
    assert operation.source.url == PROJECT_URL


@pytest.mark.parametrize("operation", OPERATIONS)
def test_its_examples_keep_its_published_schemas(operation: Operation) -> None:
    row = operation.catalog_entry()
    for example in examples_of(operation.kind, operation.name):
        Draft202012Validator(row["params_schema"]).validate(example.params)
        for item, result in zip(example.items, example.results, strict=not operation.pooled):
            if result.get("error") is None:
                Draft202012Validator(row["item_schema"]).validate(item)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("of", ["params_schema", "item_schema"])
def test_every_field_of_its_schemas_says_what_it_is(operation: Operation, of: str) -> None:
    schema = operation.catalog_entry()[of]
    for model in (schema, *schema.get("$defs", {}).values()):
        assert [name for name, field in model.get("properties", {}).items() if not field.get("description")] == []
