"""What every route has in common: the error body, the request's id, the clock, the way a new route gets in."""

from typing import Any

import pytest
from reward_gateway.errors import GatewayError, InternalError, error_table
from reward_gateway.http.errors import error_response

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/v1", "/v1/scores", "/v1/score/", "/livez/", "/v1/score%2F..%2Flivez"])
async def test_an_unknown_path_is_a_404_with_the_error_body(served: Any, path: str) -> None:
    assert served.refused(await served.client.get(path), 404)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/score", "POST"),
        ("PUT", "/v1/score", "POST"),
        ("POST", "/livez", "GET"),
        ("DELETE", "/v1/rewards", "GET"),
        ("GET", "/v1/transform/affine", "POST"),
        ("POST", "/v1/rewards/plain", "GET"),
        ("GET", "/v1/rewards:validate", "POST"),
        ("PATCH", "/metrics", "GET"),
    ],
)
async def test_a_wrong_method_is_a_405_that_says_which_is_right(
    served: Any, method: str, path: str, allowed: str
) -> None:
    answer = await served.client.request(method, path)
    assert served.refused(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("error", error_table(), ids=lambda error: error.code)
def test_every_error_has_its_status_its_body_and_a_time_to_retry_where_that_helps(error: type[GatewayError]) -> None:
    answer = error_response(error("said", param="samples[0]"))
    assert answer.status_code == error.status
    assert answer.headers["content-type"] == "application/json"
    assert b'"param":"samples[0]"' in answer.body
    assert ("retry-after" in answer.headers) == (error.status in (429, 503))
    assert ("www-authenticate" in answer.headers) == (error.status == 401)


def test_the_statuses_are_those_of_the_contract() -> None:
    statuses = {error.code: error.status for error in error_table()}
    assert statuses["malformed_body"] == 400
    assert statuses["invalid_request"] == statuses["unscorable_sample"] == 422
    assert (statuses["unauthenticated"], statuses["permission_denied"], statuses["not_found"]) == (401, 403, 404)
    assert (statuses["too_large"], statuses["unsupported_media_type"], statuses["method_not_allowed"]) == (
        413,
        415,
        405,
    )
    assert statuses["rate_limited"] == 429
    assert {statuses[code] for code in ("overloaded", "draining", "model_unavailable", "state_unavailable")} == {503}
    assert statuses["deadline_exceeded"] == 504
    assert statuses[InternalError.code] == 500


async def test_an_unforeseen_failure_is_a_500_that_tells_nothing_of_itself(served: Any) -> None:
    served.models.failure = KeyError("/etc/secret: the prompt")
    answer = await served.score({"samples": [{"response": "a"}]})
    assert answer.status_code in (200, 500, 503)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    served.models.failure = None
    assert (await served.score({"samples": [{"response": "a"}]})).status_code == 200


async def test_a_fault_in_a_route_is_a_500_with_the_error_body(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("/etc/secret")

    monkeypatch.setattr(served.app.state.dependencies.gateway.operations, "list_entries", broken)
    error = served.refused(await served.client.get("/v1/catalog"), 500)
    assert error["code"] == "internal_error"
    assert "secret" not in error["message"]


async def test_a_request_keeps_the_id_that_it_came_with(served: Any) -> None:
    answer = await served.client.get("/livez", headers={"X-Request-Id": "trace-1:a/b"})
    assert answer.headers["x-request-id"] == "trace-1:a/b"


@pytest.mark.parametrize("given", [None, "", "has space", "tab\tin", "é", "x" * 257])
async def test_without_a_usable_id_it_gets_one(served: Any, given: str | None) -> None:
    headers = None if given is None else {"X-Request-Id": given.encode("latin-1")}
    answer = await served.client.get("/livez", headers=headers)
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.status_code == (413 if given and len(given) > 256 else 200)


async def test_two_requests_get_two_ids(served: Any) -> None:
    ids = {(await served.client.get("/livez")).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


async def test_an_error_carries_the_id_too(served: Any) -> None:
    answer = await served.client.get("/nowhere", headers={"X-Request-Id": "mine"})
    assert answer.headers["x-request-id"] == "mine"


async def test_the_stages_of_an_answer_stand_in_its_headers(served: Any) -> None:
    answer = await served.score({"samples": [{"response": "a"}]})
    stages = {part.split(";")[0].strip() for part in answer.headers["server-timing"].split(",")}
    assert stages == {"total", "decode", "cache", "inference", "combine"}
    assert "total;dur=" in (await served.client.get("/livez")).headers["server-timing"]
