"""``/v1/experiments``: what candidates would have said on live traffic, beside what was answered."""

import asyncio
import os
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import NotFound

from ..dependencies import dependencies_of, json_response
from ..openapi import describe, parameter
from ..routing import raw_router
from ..wire.response import ExperimentList, ExperimentReport

router = raw_router("experiments")


@router.get("/v1/experiments", **describe("Compare candidates with what is served", answer=ExperimentList))
async def experiments(request: Request) -> Response:
    """Every experiment of the recipe file. The latest samples of the worker that answers; several workers each see an
    arbitrary share of the traffic."""
    return json_response({"worker": os.getpid(), "experiments": await _read_reports(request)})


@router.get(
    "/v1/experiments/{name}",
    **describe(
        "Show one experiment",
        answer=ExperimentReport,
        parameters=(parameter("name", "path", "Name of the experiment in the recipe file."),),
    ),
)
async def experiment(request: Request) -> Response:
    """Correlation, rank correlation, agreement within prompts, share of flips and the mean shift of a candidate."""
    for report in await _read_reports(request):
        if report["name"] == request.path_params["name"]:
            return json_response(report)
    raise NotFound("there is no experiment of this name; GET /v1/experiments lists them")


async def _read_reports(request: Request) -> list[dict[str, Any]]:
    gateway = dependencies_of(request).gateway
    return await asyncio.to_thread(gateway.shadow.build_reports, gateway.book.experiments)
