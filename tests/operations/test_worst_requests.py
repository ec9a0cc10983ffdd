"""The worst requests of the chaos tests are legal, within their limit, and there are some for every operation."""

import json
from typing import Any

import pytest
from reward_gateway.operations.apply import prepare
from reward_gateway.operations.registry import Operation, catalog

from tests.chaos.worst_requests import SPECIAL, WAYS, WorstRequest, worst_requests

LIMIT = 20_000


@pytest.mark.parametrize("operation", list(catalog()), ids=lambda operation: f"{operation.kind}/{operation.name}")
def test_every_operation_has_legal_worst_requests_within_the_limit(operation: Operation) -> None:
    special = SPECIAL.get((operation.kind, operation.name), {})
    requests = [request for request in worst_requests(operation, LIMIT) if request.way not in special]
    assert requests
    assert any(len(request.body) > LIMIT / 2 or b'"items": [{' in request.body for request in requests)
    usable = 0
    for request in requests:
        assert len(request.body) <= max(LIMIT, smallest(operation))
        body = json.loads(request.body)
        usable += prepare(operation, body["items"], body["params"]).columns.size
    assert usable


def smallest(operation: Operation) -> int:
    """Bytes of the largest example: less than that no request can have."""
    return max(len(request.body) for request in worst_requests(operation, 1))


@pytest.mark.parametrize("name", list(SPECIAL), ids=str)
def test_the_special_ones_have_items_of_their_operation(name: tuple[str, str]) -> None:
    operation = catalog().get(*name)
    assert operation is not None
    for make in SPECIAL[name].values():
        body: dict[str, Any] = make()
        for item in body["items"][:1]:
            operation.item.model_validate(item)
        assert {"items"} <= body.keys() <= {"items", "params"}


def test_the_ways_are_told_apart() -> None:
    operation = catalog().get("transform", "par")
    assert operation is not None
    ways = {request.way for request in worst_requests(operation, LIMIT) if isinstance(request, WorstRequest)}
    assert set(WAYS) >= ways
    assert len(ways) >= 3
