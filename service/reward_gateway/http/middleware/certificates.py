"""Mutual TLS: whoever has no client certificate is answered health checks and metrics, and nothing else."""

from starlette.types import ASGIApp, Receive, Scope, Send

from reward_gateway.errors import PermissionDenied

from ..call import call_of

HAS_CERTIFICATE = "client_certificate"
"""Entry of a request's ``state``: whether its connection has a client certificate, which TLS has checked."""


class CertificateLayer:
    """Refuses every path but the open ones to connections without a client certificate."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not call_of(scope).open and not scope.get("state", {}).get(HAS_CERTIFICATE):
            raise PermissionDenied("this gateway answers only clients with a certificate (mutual TLS): send yours")
        await self.app(scope, receive, send)
