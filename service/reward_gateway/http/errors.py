"""A failure as an HTTP answer: status, headers and the error body, from the one table of errors.

Other servers' clients read other bodies, and some expect another status where the service is busy: an error format says
which. The format of each path is kept in :mod:`.client_profiles`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from starlette.responses import Response

from reward_gateway.errors import (
    GatewayError,
    InvalidRecipe,
    MalformedBody,
    MethodNotAllowed,
    Overloaded,
    TooLarge,
    Unauthenticated,
    UpgradeRequired,
    list_failures,
)

from .wire.response import ErrorResponse


@dataclass(frozen=True)
class ErrorFormat:
    """What a failure looks like to one kind of client.

    Attributes:
        name: stands in ``GET /v1/dialects`` and in the OpenAPI page.
        render: status and body of a failure.
        body: type of every body, for the OpenAPI page.
    """

    name: str
    render: Callable[[GatewayError], tuple[int, dict[str, Any]]]
    body: Any

    @cached_property
    def kinds_by_status(self) -> dict[int, list[type[GatewayError]]]:
        """Every status that this client may get, with the failures that it stands for."""
        found: dict[int, list[type[GatewayError]]] = {}
        for kind in list_failures():
            found.setdefault(self.render(kind("", param=None))[0], []).append(kind)
        return dict(sorted(found.items()))

    @property
    def overload_status(self) -> int:
        """The status of "too busy, try again"."""
        return self.render(Overloaded(""))[0]


def render_own(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """The format of our own API, which is OpenAI's too: ``{"error": {"code", "message", "type", "param"}}``."""
    body: dict[str, Any] = dict(error.error_body())
    if isinstance(error, InvalidRecipe):
        body["faults"] = error.faults
    return error.status, body


OWN_FORMAT = ErrorFormat("own", render_own, ErrorResponse)


def error_response(
    error: GatewayError, extra: dict[str, Any] | None = None, error_format: ErrorFormat = OWN_FORMAT
) -> Response:
    """The answer to a request that failed. ``extra`` joins the body beside what the format says."""
    status, body = error_format.render(error)
    headers = {}
    if error.retry_after_s is not None and status in (429, 503):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = ", ".join(error.allowed)
    if isinstance(error, UpgradeRequired):
        headers |= {"upgrade": "websocket", "connection": "upgrade"}
    if isinstance(error, TooLarge | MalformedBody):
        headers["connection"] = "close"  # the rest of the body may still be on its way; nobody will read it
    return Response(orjson.dumps({**body, **(extra or {})}), status, headers, "application/json")
