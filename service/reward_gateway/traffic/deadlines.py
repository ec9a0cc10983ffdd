"""Deadlines: the time after which the caller no longer waits for the answer, on the running loop's clock.

A caller may set one in the body and one in a header (or through gRPC); the shortest applies, capped by the
operator's maximum.
"""

import math
import re

from reward_gateway.errors import InvalidRequest
from reward_gateway.settings import Settings

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")


def seconds_of_milliseconds(value: float, param: str) -> float:
    """Convert a deadline from milliseconds to seconds. Raises InvalidRequest unless it is a positive, finite number."""
    if not (value > 0 and math.isfinite(value)):
        raise InvalidRequest("a deadline must be a positive number of milliseconds", param=param)
    return value / 1000.0


def parse_milliseconds(text: str, param: str) -> float:
    """As :func:`seconds_of_milliseconds`, from the text of a header."""
    if not _DECIMAL.fullmatch(text):
        raise InvalidRequest("a deadline must be a number of milliseconds, in decimal digits", param=param)
    return seconds_of_milliseconds(float(text), param)


def deadline_at(arrived: float, settings: Settings, *seconds: float | None) -> float:
    """The deadline: ``arrived`` plus the shortest given duration (or the default), capped at the maximum."""
    shortest, longest = None, settings.max_deadline_s
    for value in seconds:
        if value is not None and (shortest is None or value < shortest):
            shortest = value
    if shortest is None:
        shortest = settings.default_deadline_s
    return arrived + (shortest if shortest < longest else longest)
