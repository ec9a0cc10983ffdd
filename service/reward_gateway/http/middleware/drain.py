"""Shutting down: no new work once it has begun, and work that is cut off ends with 503. Probes and scrapes pass."""

from starlette.types import ASGIApp, Receive, Scope, Send

from reward_gateway.traffic.drain import Drain

from ..call import call_of


class DrainLayer:
    """Refuses requests of a gateway that shuts down, and marks the others as its work."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self.app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not call_of(scope).open:
            self._drain.check_accepting()
        with self._drain.work():
            await self.app(scope, receive, send)
