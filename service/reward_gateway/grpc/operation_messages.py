"""The messages of ``Apply``: decoded and encoded by functions that a worker process can run."""

from typing import Any

from reward_gateway.intake.items import check_items
from reward_gateway.intake.limits import InputLimits
from reward_gateway.proto import reward_pb2 as pb

from .calls import parse
from .encode import apply_result
from .values import plain_list, plain_object

_LONGEST_HERE = 16 << 10
"""Bytes of a message that is decoded on the event loop: a value takes five bytes and two microseconds."""


def takes_long_to_decode(message: bytes) -> bool:
    """Whether decoding a message may take longer than the event loop should wait."""
    return len(message) > _LONGEST_HERE


def read_operation_message(limits: InputLimits, message: bytes) -> tuple[list[Any], dict[str, Any]]:
    """The items and parameters of a message.

    Raises:
        MalformedBody: it is no message.
        InvalidRequest: a value is not finite, or of no kind.
        TooLarge: too many items, or a text over its limit.
    """
    request = parse(pb.ApplyRequest, message)
    limits.samples(len(request.items.values), "items")
    items, params = plain_list(request.items, "items"), plain_object(request.params, "params")
    check_items(items, len(message), limits)
    return items, params


def encode_results(results: list[dict[str, Any]]) -> bytes:
    """The answer of ``Apply``."""
    return pb.ApplyResponse(results=map(apply_result, results)).SerializeToString()
