"""``/v1/monitor``: reward health over live traffic as JSON, for people without Prometheus."""

import asyncio
import os

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.traffic.keys import require

from ..call import call_of
from ..dependencies import dependencies_of, json_response
from ..openapi import describe
from ..routing import raw_router
from ..wire.monitor import MonitorReport, MonitorReset

router = raw_router("monitor")


@router.get("/v1/monitor", **describe("Show reward health", answer=MonitorReport))
async def monitor(request: Request) -> Response:
    """Recipe by recipe, over the latest samples: distributions of the reward and of every component, shares without
    a score and flagged, drift from the reference (the first samples since the start or the last reset), correlation
    of the reward with the response's length, disagreement of ensembles. What too few samples tell is null.

    The window is that of the worker that answers; several workers each see an arbitrary share of the traffic.
    """
    health = dependencies_of(request).telemetry.metrics.health
    return json_response({"worker": os.getpid(), "rewards": await asyncio.to_thread(health.monitor.report)})


@router.delete("/v1/monitor", **describe("Reset the monitor's references", answer=MonitorReset))
async def reset(request: Request) -> Response:
    """Drift is measured anew, from the samples that come from now on: after a new policy or a new model, say. Holds
    for every worker of this gateway. Needs the right `state`."""
    require(call_of(request.scope).key, "state")
    await asyncio.to_thread(dependencies_of(request).telemetry.metrics.health.monitor.reset)
    return json_response({"reset": True})
