"""The OpenAPI page: schemas generated from the wire types, one error table, examples that can be sent as they are."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from reward_gateway.errors import GatewayError, error_table, is_temporary, summarize_error
from reward_gateway.intake.run_name import LARGEST_STEP, PATTERN
from reward_gateway.traffic.keys import Right

from .body_dispatch import bodies_at, paths_with_bodies
from .call import OPEN_PATHS
from .entry.keys import right_for
from .errors import OWN_FORMAT, ErrorFormat

_REF = "#/components/schemas/{name}"
_TYPE = "x-wire-type"
"""Stands in the page for a wire type, by its place in the list, until all types are known."""
_FORMATS = "x-error-formats"
"""Likewise for the refusals of a route, by the names of their formats."""

RIGHTS = "x-required-rights"
"""Key of an operation in the page: the rights that a key needs for it; none where it needs no key."""

_types: list[Any] = []
_formats: dict[str, ErrorFormat] = {}

ABOUT = """One URL for every reward an RL run needs.

Send samples to `POST /v1/score`; the recipe that you name scores them with reward models, rules and judges,
and combines the scores. A sample that cannot be scored is answered with `valid: false` and a reason, never
with a number; its neighbours are scored all the same.

Before any path, `/r/NAME/` names the recipe (`/r/NAME/tei/rerank`; NAME is one percent-encoded segment) and
`/run/NAME/` the training run. `/r/NAME/health` says whether that recipe can answer: 200, 503, or 404 if there is none.
Behind the prefix of a dialect (`/unirl/health`) it is `/health`, for clients that append it to their address.

[The guide](docs/guide/) explains how all of this is used, and every operation and every recipe has a page:
[/pages](pages).
"""


def describe(
    summary: str,
    *,
    answer: Any = dict[str, Any],
    body: Any = None,
    example: Any = None,
    parameters: tuple[dict[str, Any], ...] = (),
    answer_type: str = "application/json",
    body_types: tuple[str, ...] = ("application/json",),
    error_formats: tuple[ErrorFormat, ...] = (OWN_FORMAT,),
    unavailable: Any = None,
    right: Right | None = None,
    more_answer_types: tuple[str, ...] = (),
    status: int = 200,
) -> dict[str, Any]:
    """The keyword arguments of a route's decorator. Every refusal of the error table is documented for every route.

    Args:
        answer, body: types of the answer and of the request body, or JSON Schemas.
        answer_type, body_types: content types; schemas are those of JSON.
        more_answer_types: further content types of the answer, which are no JSON.
        error_formats: what refusals look like; several where a path is shared.
        status: of the answer, where all is well.
        unavailable: type of the 503 answer, where it is not the format's.
        right: what the handler asks of the key beyond the right of the path.
    """
    schema = _schema_of_bytes(answer_type)
    if answer_type == "application/json":
        schema = answer if isinstance(answer, dict) else schema_of(answer)
    answered: dict[str, Any] = {"description": "The answer.", "content": {answer_type: {"schema": schema}}}
    responses: dict[str, Any] = {str(status): answered}
    for kind in more_answer_types:
        answered["content"][kind] = {"schema": _schema_of_bytes(kind)}
    if unavailable is not None:
        content = {"application/json": {"schema": schema_of(unavailable)}}
        responses["503"] = {"description": "Not now; see Retry-After.", "content": content}
    _formats.update({error_format.name: error_format for error_format in error_formats})
    extra: dict[str, Any] = {"responses": responses, _FORMATS: [each.name for each in error_formats]}
    if right is not None:
        extra[RIGHTS] = [right]
    if body is not None:
        content = {"schema": body if isinstance(body, dict) else schema_of(body)}
        if example is not None:
            content["example"] = example
        extra["requestBody"] = {"required": True, "content": dict.fromkeys(body_types, content)}
    if parameters:
        extra["parameters"] = list(parameters)
    return {"summary": summary, "openapi_extra": extra, "status_code": status}


def _schema_of_bytes(content_type: str) -> dict[str, Any]:
    """The schema of an answer that is no JSON. A stream's holds for each of its events, which may be any."""
    return {} if content_type == "text/event-stream" else {"type": "string"}


def parameter(name: str, where: str, text: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A path, query or header parameter."""
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": text,
        "schema": schema or {"type": "string"},
    }


IDEMPOTENCY_KEY = parameter(
    "Idempotency-Key",
    "header",
    "Makes a repeat the same request: its state changes count once, and the same key with another body is 409.",
    {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[\\x20-\\x7e]+$"},
)


RUN = parameter(
    "X-Run",
    "header",
    "The training run, to which cohorts, streams and archives belong. `?run=NAME` and a path that begins with "
    "`/run/NAME/` say the same.",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": PATTERN},
)

RUN_STEP = parameter(
    "X-Run-Step",
    "header",
    "The trainer's step, by which the history of the run (`GET /v1/runs/{run}`) tells what was scored.",
    {"type": "integer", "minimum": -LARGEST_STEP, "maximum": LARGEST_STEP},
)

TENANT = parameter(
    "tenant",
    "query",
    "Whose state; by default the caller's own. Another tenant's needs the right `admin`.",
    {"type": "string", "minLength": 1, "maxLength": 64},
)


def schema_of(kind: Any) -> dict[str, Any]:
    """What stands for the schema of a type until the page is made."""
    _types.append(kind)
    return {_TYPE: len(_types) - 1}


def install(app: FastAPI, root_path: str = "") -> None:
    """Make ``app.openapi()`` give the finished document; ``root_path`` is where a proxy serves it."""
    servers: list[Any] | None = [{"url": root_path}] if root_path else None

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            page = get_openapi(title=app.title, version=app.version, routes=app.routes, servers=servers)
            app.openapi_schema = _finished(page)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _finished(page: dict[str, Any]) -> dict[str, Any]:
    _add_shared_bodies(page["paths"])
    components = page.setdefault("components", {})
    components["responses"] = {}
    for path, item in page["paths"].items():
        for operation in item.values():
            operation[RIGHTS] = [] if path in OPEN_PATHS else _list_rights(path, operation.get(RIGHTS, []))
            names = operation.pop(_FORMATS, [OWN_FORMAT.name])
            for status, refusal in _refusals(names, components["responses"]).items():
                operation["responses"].setdefault(status, refusal)
    schemas, named = msgspec.json.schema_components(_types, ref_template=_REF)
    page = _with_schemas(page, schemas)
    components = page["components"]
    components.setdefault("schemas", {}).update(named)
    named["ErrorInfo"]["properties"]["code"]["enum"] = [kind.code for kind in error_table()]
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        "basic": {"type": "http", "scheme": "basic", "description": "The password is the key: `http://x:KEY@HOST`."},
    }
    page["security"] = [{}, {"bearer": []}, {"key": []}, {"basic": []}]
    rows = "\n".join(
        f"| {e.status} | `{e.code}` | {e.grpc_status} | {'yes' if is_temporary(e) else 'no'} | {summarize_error(e)} "
        f"{e.advice} |"
        for e in error_table()
    )
    page["info"]["description"] = (
        f"{ABOUT}\n## Errors\nEvery refusal has the body "
        '`{"error": {"code", "message", "type", "param"}}`; `param` is the path of the field at fault.\n\n'
        f"| HTTP | code | gRPC | retry | when, and what to do |\n|---|---|---|---|---|\n{rows}\n"
    )
    return page


def _list_rights(path: str, asked: list[Right]) -> list[Right]:
    """The rights for a path, where its handler asks for some, too; ``admin`` holds all others."""
    return ["admin"] if "admin" in asked else list(dict.fromkeys((right_for(path), *asked)))


def _add_shared_bodies(paths: dict[str, Any]) -> None:
    """Where several servers' clients share a path: their bodies, answers and refusals beside our own."""
    for path in paths_with_bodies():
        for operation in paths.get(path, {}).values():
            content = operation["requestBody"]["content"]["application/json"]
            answers = operation["responses"]["200"]["content"]
            own = operation[_FORMATS]
            bodies, kinds = [], []
            for shared in bodies_at(path):
                bodies.append(schema_of(shared.body))
                kinds.append(schema_of(shared.answer))
                _formats[shared.error_format.name] = shared.error_format
                own += [shared.error_format.name]
            content["schema"] = {"anyOf": [*_alternatives(content["schema"]), *bodies]}
            schema = answers["application/json"]["schema"]
            answers["application/json"] = {"schema": {"anyOf": [*_alternatives(schema), *kinds]}}


def _alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema] if schema else []


def _refusals(names: list[str], held: dict[str, Any]) -> dict[str, Any]:
    """References to the refusals of some formats by status; ``held`` gets what they refer to."""
    formats = {name: _formats.get(name, OWN_FORMAT) for name in dict.fromkeys(names)}
    label = "" if list(formats) == [OWN_FORMAT.name] else "_" + "_".join(formats)
    kinds: dict[int, dict[str, type[GatewayError]]] = {}
    for error_format in formats.values():
        for status, failures in error_format.kinds_by_status.items():
            for kind in failures:
                kinds.setdefault(status, {}).setdefault(kind.code, kind)
    refusals: dict[str, Any] = {}
    for status, found in sorted(kinds.items()):
        name = f"Refused{status}{label}"
        if name not in held:
            bodies = [schema_of(kind) for kind in dict.fromkeys(each.body for each in formats.values())]
            held[name] = {
                "description": "; ".join(f"`{kind.code}`: {summarize_error(kind)}" for kind in found.values()),
                "content": {"application/json": {"schema": bodies[0] if len(bodies) == 1 else {"anyOf": bodies}}},
            }
        refusals[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return refusals


def _with_schemas(value: Any, schemas: tuple[dict[str, Any], ...]) -> Any:
    """The page with each type's schema in its place."""
    if isinstance(value, dict):
        if _TYPE in value:
            return schemas[value[_TYPE]]
        return {name: _with_schemas(held, schemas) for name, held in value.items()}
    return [_with_schemas(held, schemas) for held in value] if isinstance(value, list) else value
