"""What readers of jobs and of runs' queues ask for, checked alike for HTTP and gRPC."""

import re

from reward_gateway.errors import InvalidRequest

DEFAULT_RESULTS, LARGEST_RESULTS = 512, 4096
"""Results that are taken at once."""

DEFAULT_VISIBILITY_S = 60.0

_PLACE = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")
"""A place in a stream, which cursors and receipts are: numbers of 64 bits."""


def is_place(text: str) -> bool:
    """Whether a text may be a cursor or a receipt."""
    return _PLACE.fullmatch(text) is not None


def check_cursor(text: str) -> str:
    """A cursor, unchanged. Raises InvalidRequest."""
    if text and not is_place(text):
        raise InvalidRequest("after: this is no cursor of a job", param="after")
    return text


def check_consumer(name: str) -> str:
    """The name of a consumer, unchanged. Raises InvalidRequest."""
    if not (1 <= len(name) <= 64 and name.isprintable()):
        raise InvalidRequest("consumer: a name of 1 to 64 printable characters", param="consumer")
    return name


def check_number(name: str, value: float, least: float, most: float) -> float:
    """A number, unchanged. Raises InvalidRequest unless it is within its bounds."""
    if not least <= value <= most:
        raise InvalidRequest(f"{name}: expected a number from {least:g} to {most:g}", param=name)
    return value
