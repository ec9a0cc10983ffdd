"""grpc.health.v1 that tells the truth: SERVING while the gateway is ready and not draining.

``Check`` asks the gateway each time; ``Watch`` is told every few seconds.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from grpc_health.v1 import health, health_pb2

from reward_gateway.errors import GatewayError
from reward_gateway.gateway import Gateway
from reward_gateway.traffic.drain import Drain

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class GatewayHealth(health.aio.HealthServicer):  # type: ignore[name-defined,misc]
    """Health of the server as a whole ("") and of each service it names."""

    def __init__(self, gateway: Gateway, drain: Drain, services: Sequence[str], interval_s: float = 2.0) -> None:
        super().__init__()
        self._gateway = gateway
        self._drain = drain
        self._services = ("", *services)
        self._interval_s = interval_s

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        """The health of one service now."""
        await self.refresh()
        return await super().Check(request, context)

    async def refresh(self) -> None:
        """Ask the gateway, and tell those who watch where it changed."""
        ready = not self._drain.draining and await self._ready()
        for service in self._services:
            await self.set(service, SERVING if ready else NOT_SERVING)

    async def _ready(self) -> bool:
        try:
            return (await self._gateway.ready())[0]
        except GatewayError:
            return False

    async def keep(self) -> None:
        """Refresh for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._interval_s)
