"""Deadlines: the moment after which nobody waits for the answer, on the clock of the running loop.

A caller may name one in the body and one in a header (or through gRPC); the smallest holds, and none is
longer than the operator allows.
"""

import math

from reward_gateway.errors import InvalidRequest
from reward_gateway.settings import Settings


def seconds_of_milliseconds(value: float, param: str) -> float:
    """A deadline in seconds from milliseconds. Raises InvalidRequest unless it is a positive, finite number."""
    if not (value > 0 and math.isfinite(value)):
        raise InvalidRequest("a deadline must be a positive number of milliseconds", param=param)
    return value / 1000.0


def parse_milliseconds(text: str, param: str) -> float:
    """As :func:`seconds_of_milliseconds`, from the text of a header."""
    try:
        value = float(text)
    except ValueError:
        raise InvalidRequest("a deadline must be a number of milliseconds", param=param) from None
    return seconds_of_milliseconds(value, param)


def deadline_at(arrived: float, settings: Settings, *seconds: float | None) -> float:
    """The moment that holds: ``arrived`` plus the smallest duration given, else the default, never over the longest."""
    durations = [value for value in seconds if value is not None]
    return arrived + min(min(durations, default=settings.default_deadline_s), settings.max_deadline_s)
