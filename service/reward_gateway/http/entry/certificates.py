"""Mutual TLS: whoever has no client certificate is answered health checks and metrics, and nothing else."""

from starlette.types import Scope

from reward_gateway.errors import PermissionDenied

HAS_CERTIFICATE = "client_certificate"
"""Entry of a request's ``state``: whether its connection has a client certificate, which TLS has checked."""


def check_certificate(scope: Scope) -> None:
    """Raises PermissionDenied for a connection without a client certificate."""
    if not scope.get("state", {}).get(HAS_CERTIFICATE):
        raise PermissionDenied("this gateway answers only clients with a certificate (mutual TLS): send yours")
