"""A failure as an HTTP answer: status, headers and the error body, from the one table of errors."""

import math
from typing import Any

import orjson
from starlette.responses import Response

from reward_gateway.errors import GatewayError, InvalidRecipe, MalformedBody, TooLarge, Unauthenticated


def error_response(error: GatewayError, extra: dict[str, Any] | None = None) -> Response:
    """The answer to a request that failed. ``extra`` joins the body beside ``error``."""
    body: dict[str, Any] = {**error.body(), **(extra or {})}
    if isinstance(error, InvalidRecipe):
        body["faults"] = error.faults
    headers = {}
    if error.retry_after_s is not None and error.status in (429, 503):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooLarge | MalformedBody):
        headers["connection"] = "close"  # the rest of the body may still be on its way; nobody will read it
    return Response(orjson.dumps(body), error.status, headers, "application/json")
