"""The body of a request for one operation: how it is decoded, and whether that alone takes long."""

from typing import Any

from .decode import decode
from .items import check_items
from .limits import InputLimits
from .nesting import check_nesting
from .request import apply_request

_LIMIT_US = 10_000.0
_BYTE_US, _VALUE_US, _CONTAINER_US = 0.015, 0.25, 2.0
"""Microseconds that decoding and checking take: per byte, per value of a list or object, per list or object."""


def takes_long_to_decode(body: bytes) -> bool:
    """Whether decoding a body and checking its items may take longer than the event loop should wait."""
    containers = body.count(b"[") + body.count(b"{")
    return len(body) * _BYTE_US + body.count(b",") * _VALUE_US + containers * _CONTAINER_US > _LIMIT_US


def read_operation_body(max_nesting: int, limits: InputLimits, body: bytes) -> tuple[list[Any], dict[str, Any] | None]:
    """The items and parameters of a JSON body.

    Raises:
        MalformedBody: it is no JSON.
        InvalidRequest: it is JSON of another shape, or nested too deep.
        TooLarge: too many items, or a text over its limit.
    """
    request = decode(apply_request, body, max_nesting)
    check_nesting(body, max_nesting)
    check_items(request.items, len(body), limits)
    return request.items, request.params
