"""``GET /v1/models``: OpenAI's list of what may be asked for, and beside it the models behind it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.backends.port import ModelInfo
from reward_gateway.errors import ModelUnavailable

from ..edge import edge_of, json_response
from ..openapi import describe
from ..routing import raw_router
from ..wire.response import ModelList

router = raw_router("models")


@router.get("/v1/models", **describe("List recipes and models", answer=ModelList))
async def models(request: Request) -> Response:
    """`data` lists the recipes, as OpenAI lists models; `models` the reward models with their measured quality.

    Where the model server does not answer, `models` is empty and the recipes are listed all the same.
    """
    gateway = edge_of(request).gateway
    try:
        served = await gateway.models()
    except ModelUnavailable:
        served = []
    names = [entry["name"] for entry in gateway.rewards()["rewards"]]
    return json_response(
        {"object": "list", "data": [_openai(name) for name in names], "models": [_row(model) for model in served]}
    )


def _openai(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "reward-gateway"}


def _row(model: ModelInfo) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": model.version,
        "versions": list(model.versions),
        "ready": model.ready,
        "inputs": list(model.inputs),
        "dimensions": list(model.dimensions),
        "card": model.card,
    }
