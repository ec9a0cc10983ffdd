"""Operations are tried the way a caller meets them: items and parameters in, one result an item out."""

from collections.abc import Callable
from typing import Any

import pytest
from reward_gateway.operations.apply import apply
from reward_gateway.operations.needs import RunInThread
from reward_gateway.operations.registry import catalog

Call = Callable[..., list[dict[str, Any]]]


def call_operation(path: str, *items: Any, answers: list[Any] | None = None, **params: Any) -> list[dict[str, Any]]:
    """Call ``kind/name`` over items; ``answers`` stand in for what the world answers to its needs, in order."""
    kind, _, name = path.partition("/")
    operation = catalog().get(kind, name)
    assert operation is not None, f"no operation {path}"
    steps = apply(operation, list(items), params)
    replies: list[Any] = [None, *(answers or [])]
    while True:
        assert replies, "the operation needs more from outside than the test gave"
        try:
            need = steps.send(replies.pop(0))
            if isinstance(need, RunInThread):
                replies.insert(0, need.work())
        except StopIteration as stop:
            results: list[dict[str, Any]] = stop.value
            return results


@pytest.fixture(scope="session")
def call() -> Call:
    """``call("transform/affine", {"reward": 1.0}, scale=2.0)`` gives the results."""
    return call_operation
