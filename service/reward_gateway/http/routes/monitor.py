"""``/v1/monitor``: reward health over live traffic as JSON, for people without Prometheus."""

import asyncio
import contextlib
import os

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import StateUnavailable
from reward_gateway.telemetry.shared_monitor import AWAY
from reward_gateway.traffic.keys import require_right

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

    With a store of state, the window is that of all workers and pods (`shared`): the newest minutes that hold at
    least `window` samples, an hour at most, with quantiles to 1 %. What other workers scored in the last five
    seconds may be missing. Otherwise, and while that store is away, it is the latest `window` samples of the worker
    that answers.
    """
    deps = dependencies_of(request)
    health, book = deps.telemetry.metrics.health, deps.gateway.book
    rewards = None
    if health.shared is not None:
        await asyncio.to_thread(health.monitor.read_noted)
        with contextlib.suppress(*AWAY):
            rewards = await health.shared.report()
    shared = rewards is not None
    if rewards is None:
        rewards = await asyncio.to_thread(health.monitor.report)
    if book.only is not None:
        rewards = {name: report for name, report in rewards.items() if book.allows(name)}
    return json_response({"worker": os.getpid(), "shared": shared, "rewards": rewards})


@router.delete("/v1/monitor", **describe("Reset the monitor's references", answer=MonitorReset, right="state"))
async def reset(request: Request) -> Response:
    """Restart the measurement of drift from the next samples, for example after a new policy or model. Applies
    to every worker of this gateway. Needs the right `state`."""
    require_right(call_of(request.scope).key, "state")
    health = dependencies_of(request).telemetry.metrics.health
    await asyncio.to_thread(health.monitor.reset)
    if health.shared is not None:
        try:
            await health.shared.reset()
        except AWAY as error:
            raise StateUnavailable("the store of monitoring windows cannot be reached; try again") from error
    return json_response({"reset": True})
