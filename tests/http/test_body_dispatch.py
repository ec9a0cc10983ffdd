"""Other servers' bodies on a path of ours are told apart by their keys."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from reward_gateway.http import body_dispatch
from reward_gateway.http.body_dispatch import SharedBody, dispatch_body, handler_for_body
from reward_gateway.http.errors import OWN_FORMAT
from reward_gateway.intake.decode import list_keys
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(body_dispatch, "_bodies", {})

    async def pairs(request: Request) -> Response:
        body = json.loads(await request.body())
        return JSONResponse(f"pairs of {body['text_1']}")

    keys = frozenset({"text_1", "text_2"})
    dispatch_body("/v1/score", SharedBody(keys, pairs, dict[str, str], str, OWN_FORMAT))
    HttpContract.forget()
    yield
    HttpContract.forget()


async def test_another_servers_body_is_answered_by_its_own_handler(served: Any) -> None:
    answer = await served.score({"text_1": "a", "text_2": "b", "model": "model"})
    assert answer.json() == "pairs of a"


async def test_our_own_body_with_a_fault_stays_ours(served: Any) -> None:
    served.refused(await served.score({"samples": [], "text_1": "a", "text_2": "b"}), 422, "text_1")


async def test_a_body_that_nobody_knows_is_refused_as_ours(served: Any) -> None:
    served.refused(await served.score({"text_1": "a"}), 422, "text_1")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a\xff": 1}', b"[" * 100_000])
def test_what_is_no_object_has_no_shape(body: bytes) -> None:
    assert handler_for_body("/v1/score", list_keys(body), own="samples") is None


def test_a_path_without_shapes_has_none() -> None:
    assert handler_for_body("/v1/other", ["text_1", "text_2"], own="samples") is None
