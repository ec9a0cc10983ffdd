"""A failure as an HTTP answer: status, headers and the error body, from the one table of errors.

Other servers' clients read other bodies, and some take another status for "not now": a form says which. The
form of a path's clients is kept in :mod:`.manners`.
"""

import math
from collections.abc import Callable
from typing import Any

import orjson
from starlette.responses import Response

from reward_gateway.errors import GatewayError, InvalidRecipe, MalformedBody, TooLarge, Unauthenticated

ErrorForm = Callable[[GatewayError], tuple[int, dict[str, Any]]]
"""Status and body of a failure."""


def plain_form(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """Our own form, which is OpenAI's too: ``{"error": {"code", "message", "type", "param"}}``."""
    body: dict[str, Any] = dict(error.body())
    if isinstance(error, InvalidRecipe):
        body["faults"] = error.faults
    return error.status, body


def error_response(error: GatewayError, extra: dict[str, Any] | None = None, form: ErrorForm = plain_form) -> Response:
    """The answer to a request that failed. ``extra`` joins the body beside what the form says."""
    status, body = form(error)
    headers = {}
    if error.retry_after_s is not None and status in (429, 503):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooLarge | MalformedBody):
        headers["connection"] = "close"  # the rest of the body may still be on its way; nobody will read it
    return Response(orjson.dumps({**body, **(extra or {})}), status, headers, "application/json")
