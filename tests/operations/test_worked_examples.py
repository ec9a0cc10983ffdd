"""Every operation has worked examples, and the service gives their numbers over HTTP."""

import json
from typing import Any

import httpx
import pytest
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.worked_examples import FOLDER, WorkedExample, examples_of

pytestmark = pytest.mark.anyio

EXAMPLES = [
    pytest.param(operation, example, id=f"{operation.kind}/{operation.name}: {example.title}")
    for operation in catalog()
    for example in examples_of(operation.kind, operation.name)
]


@pytest.mark.parametrize(("operation", "example"), EXAMPLES)
async def test_the_example_comes_out(
    http: httpx.AsyncClient, given_world: Any, operation: Operation, example: WorkedExample
) -> None:
    given_world.give(example)
    for path, body in example.given.get("put", {}).items():
        assert (await http.put(path, json=body)).status_code == 200
    answer = await http.post(f"/v1/{operation.kind}/{operation.name}", json=example.request)
    assert answer.status_code == 200, answer.text
    assert not example.differences(answer.json()["results"])


def test_every_operation_has_an_example_and_every_example_its_operation() -> None:
    registered = {f"{operation.kind}/{operation.name}" for operation in catalog()}
    written = {file.relative_to(FOLDER).with_suffix("").as_posix() for file in FOLDER.rglob("*.json")}
    assert written == registered


@pytest.mark.parametrize("operation", [pytest.param(op, id=f"{op.kind}/{op.name}") for op in catalog()])
def test_its_examples_expect_numbers_and_not_only_failures(operation: Operation) -> None:
    examples = examples_of(operation.kind, operation.name)
    said = [result for example in examples for result in example.results]
    assert any(set(result) & {"reward", "rewards", "details"} and "error" not in result for result in said)
    assert all(example.title and 0 < example.tolerance <= 1e-3 for example in examples)


def test_a_wrong_number_a_missing_field_and_another_length_are_differences() -> None:
    example = WorkedExample("", [{}], {}, [{"reward": 1.0, "details": {"a": [1, None]}}], 1e-6)
    assert example.differences(json.loads('[{"reward": 1.0000001, "details": {"a": [1, null], "b": 2}}]')) == []
    assert example.differences([{"reward": 1.1, "details": {"a": [1, None]}}]) == ["results[0].reward is 1.1, not 1.0"]
    assert example.differences([{"reward": 1.0}]) == ["results[0].details is missing"]
    assert example.differences([{"reward": None, "details": {"a": [1, None]}}])
    assert example.differences([{"reward": 1.0, "details": {"a": [True, None]}}])
    assert example.differences([{"reward": 1.0, "details": {"a": [1]}}])
    assert example.differences([])
