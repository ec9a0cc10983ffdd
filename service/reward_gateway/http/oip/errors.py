"""The protocol's errors on HTTP."""

from typing import Any

import msgspec

from reward_gateway.errors import GatewayError

from ..errors import ErrorFormat


def render_error(error: GatewayError) -> tuple[int, dict[str, Any]]:
    """The protocol's error body: ``{"error": text}``; the place of the fault stands in the text."""
    placed = error.param is None or error.param in error.message
    return error.status, {"error": error.message if placed else f"{error.param}: {error.message}"}


class ProtocolError(msgspec.Struct):
    """The protocol's error."""

    error: str


ERROR_FORMAT = ErrorFormat("open_inference", render_error, ProtocolError)
