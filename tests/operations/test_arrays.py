"""Long features reach operations as arrays of numbers: every operation answers as it does for lists."""

from collections.abc import Generator
from typing import Any

import msgspec
import numpy as np
import pytest
from pydantic import ValidationError
from reward_gateway.operations.apply import parse_params, run
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import RunInWorker
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.recipes.fields import accepts_vectors


def names_of_vectors(operation: Operation) -> set[str]:
    return {name for name, field in operation.item.model_fields.items() if accepts_vectors(field)}


OPERATIONS = [operation for operation in catalog() if names_of_vectors(operation)]


def columns_of(operation: Operation, items: list[Any], names: set[str]) -> Columns:
    """The items' columns, those of ``names`` with arrays."""
    columns = Columns.of_items(items, list(operation.item.model_fields))
    return Columns(
        columns.size,
        {name: list(map(pack, column)) if name in names else column for name, column in columns.read_fields()},
    )


def pack(value: Any) -> Any:
    is_vector = isinstance(value, list) and all(isinstance(entry, int | float) for entry in value)
    return np.array(value, np.float64) if is_vector else value


def answer(operation: Operation, columns: Columns, params: Any) -> Any:
    """The outcome as plain values, or the first effect; work for a worker is done here."""
    steps = run(operation, columns, params)
    try:
        effect = next(steps)
        while isinstance(effect, RunInWorker):
            done = effect.work()
            effect = steps.send(finish(done) if isinstance(done, Generator) else done)
        return effect
    except StopIteration as stop:
        return msgspec.to_builtins(stop.value, enc_hook=lambda value: np.asarray(value).tolist(), str_keys=True)


def finish(steps: Generator[Any, Any, Any]) -> Any:
    """The result of work that performs no effect."""
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value
    raise TypeError("this work performs an effect")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.kind}/{operation.name}")
def test_an_operation_answers_arrays_as_lists(operation: Operation) -> None:
    for example in examples_of(operation.kind, operation.name):
        try:
            items = [operation.item.model_validate(item) for item in example.items]
        except ValidationError:
            continue  # an example of what is refused
        params = parse_params(operation, dict(example.params))
        as_lists = answer(operation, columns_of(operation, items, set()), params)
        as_arrays = answer(operation, columns_of(operation, items, names_of_vectors(operation)), params)
        assert repr(as_arrays) == repr(as_lists)
