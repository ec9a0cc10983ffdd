"""Stored sets are read once each, and one that is missing fails only the items that name it."""

from typing import Any

import pytest
from reward_gateway.errors import NotFound
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import ReadSet
from reward_gateway.operations.registry import catalog
from reward_gateway.operations.stored_sets import read_sets


def test_each_name_is_read_once_and_none_is_no_name() -> None:
    steps = read_sets("embeddings", ["a", None, "a", "b"])
    assert next(steps) == ReadSet("embeddings", "a")
    assert steps.send(1) == ReadSet("embeddings", "b")
    with pytest.raises(StopIteration) as end:
        steps.throw(NotFound("not there"))
    assert end.value.value == {"a": 1}


@pytest.mark.parametrize(
    ("path", "missing", "fine"),
    [
        (
            "score/set_fad",
            {"embeddings": [[1.0]], "reference": "x"},
            {"embeddings": [[1.0]], "reference_embeddings": [[1.0]]},
        ),
        (
            "score/perceptual_step",
            {"features": [1.0], "task": "x"},
            {"features": [1.0], "steps": [{"mean": [1.0], "std": [1.0]}] * 2},
        ),
        ("audit/representation_distance", {"hidden": [1.0], "dimension": "x"}, {"hidden": [1.0], "centroids": [[1.0]]}),
    ],
)
def test_a_missing_set_is_the_error_of_its_item_alone(path: str, missing: dict[str, Any], fine: dict[str, Any]) -> None:
    kind, _, name = path.partition("/")
    operation = catalog().get(kind, name)
    assert operation is not None
    steps = apply(operation, [missing, fine], {})
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(NotFound("there is no stored set"))
    broken, answered = end.value.value
    assert broken["error"]["code"] == "invalid_field"
    assert answered["error"] is None
