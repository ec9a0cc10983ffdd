"""``GET /metrics``: Prometheus text or OpenMetrics, over all workers."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.telemetry.metrics import content_type_for

from ..dependencies import dependencies_of
from ..openapi import describe
from ..routing import raw_router

router = raw_router("health")


@router.get("/metrics", **describe("Metrics", answer_type="text/plain"))
async def metrics(request: Request) -> Response:
    """Counts, sizes and durations; no text that was ever scored.

    OpenMetrics where `Accept` asks for it, as Prometheus does; with tracing, durations of requests then carry the ids
    of traces (exemplars).
    """
    accept = request.headers.get("accept", "")
    page = await asyncio.to_thread(dependencies_of(request).telemetry.metrics.render, accept)
    return Response(page, headers={"content-type": content_type_for(accept)})
