"""Liveness and readiness, which are two questions: does the process run, and should it get work."""

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import Draining, ModelUnavailable, Unavailable

from ..call import call_of
from ..dependencies import dependencies_of, json_response
from ..errors import error_response
from ..openapi import describe
from ..routing import raw_router

router = raw_router("health")


@router.get("/livez", **describe("Does the process run?"))
@router.get("/v2/health/live", **describe("Open Inference Protocol's name of /livez"))
async def livez(request: Request) -> Response:
    """Touches nothing: it answers when every model and the cache are gone."""
    return json_response({"status": "ok", "live": True})


@router.get("/readyz", **describe("Should it get work?"))
@router.get("/health", **describe("Another name of /readyz"))
@router.get("/v2/health/ready", **describe("Open Inference Protocol's name of /readyz"))
async def readyz(request: Request) -> Response:
    """200 once the models are loaded and while the gateway is not shutting down; else 503 and what is missing."""
    deps = dependencies_of(request)
    if deps.traffic.drain.draining:
        return _not_ready(request, Draining("this gateway is shutting down"), {})
    ready, parts = await deps.gateway.ready()
    if not ready:
        return _not_ready(request, ModelUnavailable("not every model is ready; GET /v1/models shows which"), parts)
    roster = {plan.name: [True] for plan in deps.gateway.book}  # UniRL's client looks its rewards up here
    return json_response({"status": "ok", "ready": True, **parts, "rewards": roster})


def _not_ready(request: Request, error: Unavailable, parts: dict[str, object]) -> Response:
    form = call_of(request.scope).form
    return error_response(error, {"status": "not ready", "ready": False, **parts}, form)
