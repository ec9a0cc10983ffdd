"""Which route answers: a fixed path before a template, and of what is no route, why."""

from typing import Any

import pytest
from reward_gateway.errors import MethodNotAllowed, NotFound
from reward_gateway.http.call import route_of
from reward_gateway.http.route_table import RouteTable
from reward_gateway.http.routing import RawRoute
from starlette.requests import Request
from starlette.responses import Response


async def handle(_: Request) -> Response:
    return Response()


PATHS = [
    ("/v1/things/best", ["GET"]),
    ("/v1/things/best", ["PUT"]),
    ("/v1/things/{name}", ["GET", "DELETE"]),
    ("/v1/things/{name}", ["POST"]),
    ("/v1/{kind}/{name}", ["PATCH"]),
]
TABLE = RouteTable([RawRoute(path, handle, methods=methods) for path, methods in PATHS])


def find(method: str, path: str) -> dict[str, Any]:
    """The scope of a request after its route was looked for, whether or not one was found."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    TABLE.find(scope)
    return scope


@pytest.mark.parametrize(
    ("method", "path", "template", "names"),
    [
        ("GET", "/v1/things/best", "/v1/things/best", {}),
        ("PUT", "/v1/things/best", "/v1/things/best", {}),
        ("GET", "/v1/things/other", "/v1/things/{name}", {"name": "other"}),
        ("POST", "/v1/things/other", "/v1/things/{name}", {"name": "other"}),
        ("DELETE", "/v1/things/best", "/v1/things/{name}", {"name": "best"}),  # the fixed path has no such method
        ("PATCH", "/v1/pages/one", "/v1/{kind}/{name}", {"kind": "pages", "name": "one"}),
    ],
)
def test_a_fixed_path_comes_before_a_template(method: str, path: str, template: str, names: dict[str, str]) -> None:
    scope = find(method, path)
    assert (route_of(scope), scope["path_params"]) == (template, names)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/v1/things/best", ["DELETE", "GET", "PATCH", "POST", "PUT"]),
        ("PUT", "/v1/things/other", ["DELETE", "GET", "PATCH", "POST"]),
        ("GET", "/v1/pages/one", ["PATCH"]),
    ],
)
def test_a_wrong_method_is_told_all_that_the_path_takes(method: str, path: str, allowed: list[str]) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        find(method, path)
    assert refused.value.allowed == allowed


@pytest.mark.parametrize("path", ["/", "/v1/things", "/v1/things/best/", "/v1/things/a/b", "/V1/things/best"])
def test_nothing_else_is_there(path: str) -> None:
    with pytest.raises(NotFound, match="nothing at this path"):
        find("GET", path)
