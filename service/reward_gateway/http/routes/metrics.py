"""``GET /metrics``: Prometheus text, over all workers."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.telemetry.metrics import CONTENT_TYPE

from ..dependencies import dependencies_of
from ..openapi import describe
from ..routing import raw_router

router = raw_router("health")


@router.get("/metrics", **describe("Metrics", answer_type="text/plain"))
async def metrics(request: Request) -> Response:
    """Counts, sizes and durations; no text that was ever scored."""
    page = await asyncio.to_thread(dependencies_of(request).telemetry.metrics.render)
    return Response(page, headers={"content-type": CONTENT_TYPE})
