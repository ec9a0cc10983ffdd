"""``/v1/models``: what may be asked for, in OpenAI's list and one by one; a head replaced, a version rolled back."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.upstreams.file import json_schema
from reward_gateway.errors import ModelUnavailable, TooLarge
from reward_gateway.sample import split_version
from reward_gateway.traffic.keys import require_right

from ..call import call_of
from ..dependencies import dependencies_of, json_response, read_bytes
from ..openapi import describe, parameter
from ..routing import raw_router
from ..wire.response import HeadAnswer, ModelAnswer, ModelList

router = raw_router("models")


@router.get("/v1/models", **describe("List recipes and models", answer=ModelList))
async def models(request: Request) -> Response:
    """`data` lists the recipes, as OpenAI lists models; `models` the reward models with their measured quality.

    A model that the repository merely holds is not listed. Where the model server does not answer, `models` is empty
    and the recipes are listed all the same.
    """
    gateway = dependencies_of(request).gateway
    try:
        served = [model for model in await gateway.list_models() if model.wanted]
    except ModelUnavailable:
        served = []
    names = [entry["name"] for entry in gateway.list_rewards()["rewards"]]
    return json_response(
        {
            "object": "list",
            "data": [_openai_row(name) for name in names],
            "models": [_model_row(model) for model in served],
        }
    )


@router.get("/v1/upstreams.schema.json", **describe("Show the JSON Schema of a file of upstreams"))
async def upstreams_schema(request: Request) -> Response:
    """For editors: `# yaml-language-server: $schema=…/v1/upstreams.schema.json` in the first line of the file."""
    return json_response(json_schema())


_NAME = parameter("name", "path", "A model, or one of its versions: `NAME@2`.")


@router.get("/v1/models/{name}", **describe("Show one model", answer=ModelAnswer, parameters=(_NAME,)))
async def model(request: Request) -> Response:
    """Its version, the versions that can be asked for beside it as `NAME@VERSION`, and its card. The `ETag` is the
    version that answers the name."""
    gateway, name = dependencies_of(request).gateway, request.path_params["name"]
    models = await gateway.list_models()  # as the server says now: another process of this gateway may have changed it
    if all(model.name != split_version(name)[0] for model in models):
        gateway.check_unrestricted()  # the same answer whether there is such a model or not
    info = await gateway.runtime.models.info(name)
    return _with_etag(_model_row(info), info.version)


_PUT_HEAD = describe(
    "Replace a model's head",
    right="admin",
    answer=HeadAnswer,
    parameters=(
        parameter("name", "path", "A model whose version has a `head.npz`."),
        parameter("If-Match", "header", "The version that the head was trained from; another one: 412.")
        | {"required": False},
        parameter("X-Base-Version", "header", "The same.") | {"required": False},
    ),
)
_PUT_HEAD["openapi_extra"]["requestBody"] = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


@router.put("/v1/models/{name}/head", **_PUT_HEAD)
@router.post("/v1/models/{name}/head", **_PUT_HEAD)
async def head(request: Request) -> Response:
    """For a head that is trained together with a policy. The body is an `.npz` or safetensors with the arrays of the
    head that it replaces, of the same shapes and types. It becomes the next version, which answers the model's name
    once it is loaded; requests meanwhile are answered by the version before, and no answer mixes the two. Needs the
    right `admin`.
    """
    require_right(call_of(request.scope).key, "admin")
    deps = dependencies_of(request)
    body = await read_bytes(request)
    if len(body) > deps.settings.max_head_bytes:
        raise TooLarge(f"the head is over its limit of {deps.settings.max_head_bytes} bytes")
    base = request.headers.get("x-base-version") or request.headers.get("if-match")
    uploaded = await deps.model_admin.put_head(request.path_params["name"], body, base.strip('" ') if base else None)
    head_version = {"number": uploaded.number, "replaced": uploaded.replaced, "created": uploaded.created}
    return _with_etag(_model_row(uploaded.info) | head_version, uploaded.info.version)


@router.post(
    "/v1/models/{name}/rollback",
    **describe(
        "Go back to the version before",
        right="admin",
        answer=ModelAnswer,
        parameters=(parameter("name", "path", "A model with several versions."),),
    ),
)
async def rollback(request: Request) -> Response:
    """The newest version is served no more; its files stay, and loading `NAME@VERSION` brings it back. A version that
    recipes name is not withdrawn. Needs the right `admin`."""
    require_right(call_of(request.scope).key, "admin")
    info = await dependencies_of(request).model_admin.rollback(request.path_params["name"])
    return _with_etag(_model_row(info), info.version)


def _with_etag(body: dict[str, Any], version: str) -> Response:
    response = json_response(body)
    response.headers["etag"] = f'"{version}"'
    return response


def _openai_row(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "reward-gateway"}


def _model_row(model: ModelInfo) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": model.version,
        "versions": list(model.versions),
        "ready": model.ready,
        "inputs": list(model.inputs),
        "dimensions": list(model.dimensions),
        "device": {"kind": model.device.kind, "gpus": list(model.device.gpus), "instances": model.device.instances},
        "precision": _precision_of(model),
        "card": model.card,
    }


def _precision_of(model: ModelInfo) -> str:
    """That of the card; empty where nobody knows it, as of another server's model."""
    if not model.card or model.device.kind == "upstream":
        return ""
    return str(model.card.get("settings", {}).get("precision", "fp32"))
