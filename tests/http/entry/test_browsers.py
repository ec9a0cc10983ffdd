"""What a browser may send for a page, on every path there is; programs are not concerned.

What a real browser sends is tested in ``tests/browser``; here each header has each value.
"""

import json
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from reward_gateway.errors import PermissionDenied
from reward_gateway.http.client_profiles import profile_of

pytestmark = pytest.mark.anyio

ONE = {"samples": [{"response": "abc"}]}
OWN = {"origin": "http://localhost:8080", "sec-fetch-site": "same-origin"}
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def every_route(app: FastAPI) -> list[tuple[str, str]]:
    """Each method and path, with a value for each parameter, and paths that lead nowhere."""
    found = {
        (method, re.sub(r"{[^}]*}", "transform" if "kind" in path else "x", path))
        for route in app.routes
        if (path := getattr(route, "path", None)) is not None
        for method in getattr(route, "methods", None) or ()
    }
    found |= {(method, path) for _, path in list(found) for method in ("OPTIONS", "HEAD")}
    return sorted(found | {("GET", "/nowhere"), ("POST", "/v1/nowhere"), ("PUT", "/")})


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example:8080"},
        {"host": "rebound.example", **OWN, "origin": "http://rebound.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
    ],
    ids=lambda headers: " ".join(f"{name}={value}" for name, value in headers.items()),
)
async def test_every_path_refuses_another_site_in_its_clients_own_format(
    app: FastAPI, served: Any, headers: dict[str, str]
) -> None:
    for method, path in every_route(app):
        answer: httpx.Response = await served.client.request(method, path, headers=headers)
        assert answer.status_code == 403, (method, path)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        if method != "HEAD":
            error_format = profile_of(path).error_format
            assert set(answer.json()) == set(error_format.render(PermissionDenied(""))[1]), (method, path)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1:9000", "[::1]:8080", "::1", "127.0.0.1", ""]
)
async def test_the_names_of_a_loopback_address(served: Any, host: str) -> None:
    answer = await served.score(ONE, headers={"host": host})
    assert answer.status_code == (200 if host else 403)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8080",
        "[::2]",
        "10.0.0.1",
        "x@y",
        "localhost:evil.example",
        "localhost:8080, evil.example",
        "[::1",
        "[localhost]",
    ],
)
async def test_other_names_are_refused_with_what_to_do(served: Any, host: str) -> None:
    error = served.refused(await served.score(ONE, headers={"host": host}), 403)
    assert error["code"] == "permission_denied"
    assert "--allowed-hosts" in error["message"]
    assert host not in error["message"]


async def test_hosts_that_the_operator_names(serve: Any) -> None:
    async with serve(allowed_hosts="gateway.example,*.cluster.local") as served:
        for host, status in {
            "gateway.example": 200,
            "Gateway.Example:80": 200,
            "a.b.cluster.local": 200,
            "cluster.local": 403,
            "evilcluster.local": 403,
            "localhost": 200,
        }.items():
            assert (await served.score(ONE, headers={"host": host})).status_code == status, host
    async with serve(allowed_hosts="*") as served:
        assert (await served.score(ONE, headers={"host": "any.example"})).status_code == 200
        foreign = {"host": "any.example", "origin": "http://other.example"}
        served.refused(await served.score(ONE, headers=foreign), 403)


async def test_a_public_address_answers_to_every_name_unless_some_are_listed(serve: Any) -> None:
    public = {"http_host": "0.0.0.0", "allow_unauthenticated": True}
    async with serve(**public) as served:
        assert (await served.score(ONE, headers={"host": "any.example"})).status_code == 200
        served.refused(await served.score(ONE, headers={"host": "any.example", "origin": "http://b.example"}), 403)
    async with serve(**public, allowed_hosts="gateway.example") as served:
        for host, status in {
            "gateway.example": 200,
            "10.1.2.3:8080": 200,
            "[fd00::1]": 200,
            "any.example": 403,
        }.items():
            assert (await served.score(ONE, headers={"host": host})).status_code == status, host


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 200),
        ({"origin": "http://localhost:8080"}, 200),
        ({"origin": "http://LOCALHOST:8080"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "http://127.0.0.1:8080"}, 403),
        ({"origin": "http://localhost:8080.evil.example"}, 403),
        ({"origin": "http://localhost:8080@evil.example"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://localhost:8080", "sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "anything"}, 403),
    ],
)
async def test_an_origin_is_the_addresss_own_or_foreign(served: Any, headers: dict[str, str], status: int) -> None:
    headers = headers | {"content-type": "application/json"}
    assert (await served.score(ONE, headers=headers)).status_code == status


async def test_an_origin_that_the_operator_named_may_stand_before_a_proxy(serve: Any) -> None:
    async with serve(allowed_hosts="gateway.example") as served:
        sent = {"host": "127.0.0.1:8080", "content-type": "application/json"}
        named = sent | {"origin": "https://gateway.example", "sec-fetch-site": "same-origin"}
        assert (await served.score(ONE, headers=named)).status_code == 200
        served.refused(await served.score(ONE, headers=named | {"origin": "https://evil.example"}), 403)


async def test_a_link_on_another_site_opens_a_page_and_nothing_else(served: Any) -> None:
    followed = {"sec-fetch-site": "cross-site", **NAVIGATION}
    assert (await served.client.get("/docs", headers=followed)).status_code == 200
    assert (await served.client.post("/v1/score", json=ONE, headers=followed)).status_code == 403
    for changed in ({"sec-fetch-dest": "iframe"}, {"sec-fetch-mode": "no-cors"}, {"origin": "http://evil.example"}):
        assert (await served.client.get("/docs", headers=followed | changed)).status_code == 403


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "text/plain;charset=UTF-8", "Multipart/Form-Data; b=x", ""]
)
@pytest.mark.parametrize("marks", [OWN, {"sec-fetch-mode": "cors"}], ids=["page", "fetch"])
async def test_a_body_from_a_browser_needs_a_content_type_that_no_form_has(
    served: Any, content_type: str | None, marks: dict[str, str]
) -> None:
    headers = marks | ({} if content_type is None else {"content-type": content_type})
    served.refused(await served.score(ONE, headers=headers), 415)
    chunked = httpx.Request("POST", "http://localhost:8080/v1/score", content=_chunks(), headers=headers)
    served.refused(await served.client.send(chunked), 415)


async def test_a_body_of_a_program_needs_none(served: Any) -> None:
    assert (await served.score(ONE)).status_code == 200
    assert (await served.score(ONE, headers=OWN | {"content-type": "application/json"})).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/v2/repository/models/letters/unload", "/v1/state/x", "/v1/nowhere"])
async def test_a_change_without_a_body_needs_the_mark_of_our_own_pages(served: Any, method: str, path: str) -> None:
    for marks in (OWN, {"origin": OWN["origin"]}, {"sec-fetch-site": "none"}):
        answer = await served.client.request(method, path, headers=marks)
        assert answer.status_code == 403
        assert "X-Reward-Gateway: 1" in answer.text
        answer = await served.client.request(method, path, headers=marks | {"x-reward-gateway": "1"})
        assert answer.status_code != 403
        answer = await served.client.request(method, path, headers=marks | {"x-reward-gateway": "0"})
        assert answer.status_code == 403
    assert (await served.client.request(method, path)).status_code != 403, "a program needs none"


async def test_the_page_to_try_the_api_marks_its_requests(served: Any) -> None:
    page = (await served.client.get("/docs", headers={"sec-fetch-site": "none"})).text
    assert page.count('request.headers["X-Reward-Gateway"] = "1"') == 1


async def _chunks() -> Any:
    yield json.dumps(ONE).encode()
