"""``/v1/rewards``: the recipes that are loaded, and the check of one that is not."""

import contextlib
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import GatewayError, UnsupportedMediaType
from reward_gateway.intake.recipe_file import read_recipe_file
from reward_gateway.recipes.schema import json_schema

from ..call import call_of
from ..dependencies import deadline_of, dependencies_of, is_json, json_response, read_bytes
from ..openapi import describe, parameter
from ..routing import raw_router
from ..wire.response import RewardList, Validation

router = raw_router("rewards")

_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain"})


@router.get("/v1/rewards", **describe("List the recipes", answer=RewardList))
async def rewards(request: Request) -> Response:
    """Every recipe with its inputs, its range and whether it is grouped or stateful."""
    return json_response(dependencies_of(request).gateway.list_rewards())


@router.get("/v1/rewards.schema.json", **describe("Show the JSON Schema of a recipe file"))
async def schema(request: Request) -> Response:
    """For editors: `# yaml-language-server: $schema=…/v1/rewards.schema.json` in the first line of the file."""
    return json_response(json_schema())


@router.get(
    "/v1/rewards/{name}",
    **describe(
        "Show one recipe with its compiled plan",
        parameters=(parameter("name", "path", "Name of the recipe, an alias of it, or a served model."),),
    ),
)
async def reward(request: Request) -> Response:
    """What the recipe was compiled to, step by step, and its version."""
    deps, name = dependencies_of(request), request.path_params["name"]
    await deps.intake.learn_models(name)
    return json_response(deps.gateway.describe_reward(name))


_VALIDATE = describe("Check a recipe file", answer=Validation)
_VALIDATE["openapi_extra"]["requestBody"] = {
    "required": True,
    "content": {
        "application/yaml": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "object"}},
    },
}


@router.post("/v1/rewards:validate", **_VALIDATE)
async def validate(request: Request) -> Response:
    """Whether the file would load; every fault with its place, not only the first. Nothing is changed."""
    deps = dependencies_of(request)
    content_type = call_of(request.scope).headers.get("content-type")
    json = is_json(content_type)
    if not json and (content_type or "").partition(";")[0].strip().lower() not in _YAML:
        raise UnsupportedMediaType("send the recipe file as application/yaml or application/json")
    body = await read_bytes(request)
    with contextlib.suppress(GatewayError):
        await deps.gateway.runtime.refresh_models()  # versions come and go
    read = partial(read_recipe_file, deps.settings.max_nesting if json else None)
    return json_response(await deps.gateway.validate_rewards(body, read, deadline_of(request)))
