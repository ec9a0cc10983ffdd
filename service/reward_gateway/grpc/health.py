"""grpc.health.v1 that tells the truth: SERVING while a recipe can answer and the gateway is not shutting down.

``Check`` asks the gateway each time; ``Watch`` is told every few seconds. A service is the server as a whole ("") or
one of its services by its full name, both SERVING while the default recipe can answer; or a recipe, by its name.
``Check`` takes aliases and served models as well.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

from grpc_health.v1 import health, health_pb2

from reward_gateway.errors import GatewayError
from reward_gateway.gateway import Gateway
from reward_gateway.intake.recipe_name import learn_models
from reward_gateway.tasks import repeat
from reward_gateway.traffic.drain import Drain

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class GatewayHealth(health.aio.HealthServicer):  # type: ignore[name-defined,misc]
    """Health of the server as a whole (""), of each service it names, and of each recipe."""

    def __init__(self, gateway: Gateway, drain: Drain, services: Sequence[str], interval_s: float = 2.0) -> None:
        super().__init__()
        self._gateway = gateway
        self._drain = drain
        self._services = ("", *services)
        self._recipes: frozenset[str] = frozenset()
        self._interval_s = interval_s

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        """The health of one service now; a recipe may also be named by an alias or be a served model."""
        name = request.service
        if name not in self._services and name not in self._gateway.book.plans:
            with contextlib.suppress(GatewayError):
                await learn_models(self._gateway, name)
                missing = self._drain.leaving or await self._gateway.find_lack(name) is not None
                return health_pb2.HealthCheckResponse(status=NOT_SERVING if missing else SERVING)
        await self.refresh_statuses()
        return await super().Check(request, context)

    async def refresh_statuses(self) -> None:
        """Read the gateway's readiness and notify watchers of changes."""
        serving = not self._drain.leaving
        readiness = await self._gateway.check_readiness()
        recipes = frozenset(self._gateway.book.plans)
        for removed in self._recipes - recipes:
            await self.set(removed, SERVICE_UNKNOWN)
        self._recipes = recipes
        for recipe in recipes:
            await self.set(recipe, SERVING if serving and recipe not in readiness.missing else NOT_SERVING)
        for service in self._services:
            await self.set(service, SERVING if serving and readiness.ready else NOT_SERVING)

    async def refresh_forever(self) -> None:
        """Refresh for ever."""
        await repeat(self.refresh_statuses, self._interval_s, "grpc-health")
