"""The OpenAPI page: schemas generated from the wire types, one error table, examples that can be sent as they are."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from reward_gateway import errors

from .wire import response

_wire: dict[type[msgspec.Struct], None] = {response.ErrorResponse: None}
"""The types that stand on the page; :func:`describe` adds those of each route."""

_REF = "#/components/schemas/{name}"

ABOUT = """One URL for every reward an RL run needs.

Send samples to `POST /v1/score`; the recipe that you name scores them with reward models, rules and judges,
and combines the scores. A sample that cannot be scored is answered with `valid: false` and a reason, never
with a number; its neighbours are scored all the same.

Every operation and every recipe has a page: [/pages](/pages).
"""


def error_table() -> list[type[errors.GatewayError]]:
    """Every failure that a caller may see, by its status."""
    found: dict[str, type[errors.GatewayError]] = {}
    waiting: list[type[errors.GatewayError]] = [errors.GatewayError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        found[kind.code] = kind
    return sorted(found.values(), key=lambda kind: (kind.status, kind.code))


def describe(
    summary: str,
    *,
    answer: type[msgspec.Struct] | None = None,
    body: type[msgspec.Struct] | None = None,
    example: dict[str, Any] | None = None,
    parameters: tuple[dict[str, Any], ...] = (),
    statuses: tuple[int, ...] = (),
    answer_type: str = "application/json",
) -> dict[str, Any]:
    """The keyword arguments of a route's decorator.

    Args:
        answer, body: wire types of the 200 answer and of the request body.
        statuses: refusals that this route may answer with, beside those that every one may.
    """
    _wire.update(dict.fromkeys(kind for kind in (answer, body) if kind is not None))
    schema: dict[str, Any] = {"type": "object"} if answer is None else _ref(answer)
    if answer_type != "application/json":
        schema = {"type": "string"}
    responses: dict[str, Any] = {"200": {"description": "The answer.", "content": {answer_type: {"schema": schema}}}}
    for status in sorted({*statuses, *((400, 413, 415, 422) if body is not None else ())}):
        responses[str(status)] = {"$ref": f"#/components/responses/Refused{status}"}
    extra: dict[str, Any] = {"responses": responses}
    if body is not None:
        content: dict[str, Any] = {"schema": _ref(body)}
        if example is not None:
            content["example"] = example
        extra["requestBody"] = {"required": True, "content": {"application/json": content}}
    if parameters:
        extra["parameters"] = list(parameters)
    return {"summary": summary, "openapi_extra": extra}


def parameter(name: str, where: str, text: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A path, query or header parameter."""
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": text,
        "schema": schema or {"type": "string"},
    }


def install(app: FastAPI) -> None:
    """Make ``app.openapi()`` give the finished document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finished(get_openapi(title=app.title, version=app.version, routes=app.routes))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _finished(page: dict[str, Any]) -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(list(_wire), ref_template=_REF)
    table = error_table()
    rows = "\n".join(f"| {e.status} | `{e.code}` | {e.grpc_status} | {_first_line(e)} |" for e in table)
    page["info"]["description"] = (
        f"{ABOUT}\n## Errors\nEvery refusal has the body "
        '`{"error": {"code", "message", "type", "param"}}`; `param` is the path of the field at fault.\n\n'
        f"| HTTP | code | gRPC | when |\n|---|---|---|---|\n{rows}\n"
    )
    components = page.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas)
    components["responses"] = {
        f"Refused{status}": {
            "description": "; ".join(f"`{e.code}`: {_first_line(e)}" for e in table if e.status == status),
            "content": {"application/json": {"schema": _ref(response.ErrorResponse)}},
        }
        for status in sorted({e.status for e in table})
    }
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    }
    page["security"] = [{}, {"bearer": []}, {"key": []}]
    for item in page["paths"].values():
        for operation in item.values():
            for status in (401, 403, 429, 500, 503):
                operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/Refused{status}"})
    return page


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _first_line(kind: type[errors.GatewayError]) -> str:
    return (kind.__doc__ or kind.code).strip().split("\n", 1)[0]
