"""operations/single_groups.py: whatever compares the members of a group says where there was only one."""

from typing import Any

import pytest
from reward_gateway.operations.registry import catalog
from reward_gateway.operations.worked_examples import WorkedExample, examples_of

EXAMPLES = [
    pytest.param(
        f"{operation.kind}/{operation.name}", example, id=f"{operation.kind}/{operation.name}: {example.title}"
    )
    for operation in catalog()
    for example in examples_of(operation.kind, operation.name)
    if operation.find_comparison(operation.params.model_validate(example.params)) == "group" and not example.given
]


def leave_one(example: WorkedExample) -> dict[str, Any]:
    """The first member of the example's first group."""
    item = example.items[0]
    return {
        name: value[:1] if name in ("group", "trajectories") and isinstance(value, list) else value
        for name, value in item.items()
    }


def count_members(item: dict[str, Any], items: list[dict[str, Any]]) -> int:
    """The members of an item's group."""
    whole = next((item[name] for name in ("trajectories", "group") if isinstance(item.get(name), list)), None)
    return len(whole) if whole is not None else sum(other.get("group") == item.get("group") for other in items)


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
def test_a_group_of_one_is_marked_and_no_larger_one_is(call: Any, path: str, example: WorkedExample) -> None:
    (alone,) = call(path, leave_one(example), **example.params)
    assert alone["error"] is not None or alone["details"]["single"] is True
    results = call(path, *example.items, **example.params)
    if all(result["error"] is None for result in results):
        marked = [result["details"].get("single") is True for result in results]
        assert marked == [count_members(item, example.items) == 1 for item in example.items]


def test_every_operation_that_compares_groups_is_tried() -> None:
    paths = {case.values[0] for case in EXAMPLES}
    assert paths >= {"transform/group_normalise", "combine/gdpo", "combine/harmo", "credit/oprl", "score/kimi_length"}


def test_only_valid_members_count(call: Any) -> None:
    items = [
        {"reward": 1.0, "group": "a"},
        {"group": "a"},
        {"reward": 2.0, "group": "b"},
        {"reward": 3.0, "group": "b"},
    ]
    alone, missing, *pair = call("transform/group_normalise", *items, how="mean")
    assert (alone["reward"], alone["details"]) == (0.0, {"single": True})
    assert missing["error"]["code"] == "missing_field"
    assert [result["details"]["single"] for result in pair] == [None, None]
    assert call("transform/group_normalise", *items[2:])[0]["details"] == {}
