"""``GET /``: what this is, for programs. For browsers the console answers here; ``POST /`` is a dialect's."""

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway import __version__

from ..dependencies import dependencies_of, json_response
from ..openapi import describe
from ..routing import raw_router
from ..wire.response import Home

router = raw_router("health")

_LINKS = {
    "docs": "/docs",
    "guide": "/docs/guide/",
    "health": "/readyz",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
    "pages": "/pages",
    "rewards": "/v1/rewards",
    "score": "/v1/score",
}


@router.get("/", **describe("What is served here?", answer=Home, more_answer_types=("text/html",)))
async def home(request: Request) -> Response:
    """Name, version, whether the default recipe can answer, and where to go on. Browsers, which prefer HTML, get the
    console's page."""
    deps = dependencies_of(request)
    links = _LINKS | ({"console": "/"} if deps.settings.console else {})
    ready = not deps.traffic.drain.leaving and (await deps.gateway.check_readiness()).ready
    root = deps.settings.root_path
    return json_response(
        {
            "name": "reward-gateway",
            "version": __version__,
            "ready": ready,
            "links": {name: root + path for name, path in sorted(links.items())},
        }
    )
