"""The body of a request for one operation."""

from typing import Any

from .decode import decode_as
from .items import check_items
from .limits import InputLimits
from .request import ApplyRequest


def read_operation_body(max_nesting: int, limits: InputLimits, body: bytes) -> tuple[list[Any], dict[str, Any] | None]:
    """The items and parameters of a JSON body.

    Raises:
        MalformedBody: it is no JSON.
        InvalidRequest: it is JSON of another shape, or nested too deep.
        TooLarge: too many items, or a text over its limit.
    """
    request = decode_as(ApplyRequest, max_nesting, body, check=True)
    check_items(request.items, len(body), limits)
    return request.items, request.params
