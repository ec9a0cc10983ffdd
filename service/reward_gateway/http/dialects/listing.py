"""``GET /v1/dialects``: the table of policies, with the paths of each dialect."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.settings import Settings

from ..dependencies import dependencies_of, json_response
from ..openapi import describe
from ..routing import raw_router
from ..wire.response import DialectList
from .dialect import DIALECTS

router = raw_router("dialects")


@router.get("/v1/dialects", **describe("List the dialects and their policies", answer=DialectList))
async def dialects(request: Request) -> Response:
    """For each: its clients, its paths, what a failed sample becomes, and the longest time a response may take.

    `override` is what the operator set instead of `on_invalid` (settings `dialect_failures`, `nemo_gym_failures`).
    """
    return json_response({"dialects": list_dialects(dependencies_of(request).settings)})


def list_dialects(settings: Settings) -> list[dict[str, Any]]:
    """The rows of the table, by name."""
    chosen: dict[str, Any] = dict(settings.dialect_failures)
    if settings.nemo_gym_failures == "body":
        chosen.setdefault("nemo_gym", "marked")
    return [
        {**dialect.policy.row(), "paths": sorted(set(dialect.paths)), "override": chosen.get(name)}
        for name, dialect in sorted(DIALECTS.items())
    ]
