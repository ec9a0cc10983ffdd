"""The training run that a request belongs to: one rule for HTTP, gRPC and every dialect.

Cohorts, streams and all else that scoring writes belong to a caller and its run. A run is named by a header, by the
query, or by the address alone (:mod:`reward_gateway.address`), because many trainers take only an address.
"""

import re
from collections.abc import Iterable

from reward_gateway.errors import ContradictoryRun, InvalidRequest
from reward_gateway.whole_numbers import parse_whole

HEADER = "X-Run"
"""The header's name; gRPC metadata has it in lower case."""

STEP_HEADER = "X-Run-Step"
"""Header of the trainer's step; likewise."""

LARGEST_STEP = 10**15 - 1
"""Every reader of JSON has it exactly."""

PATTERN = "^[A-Za-z0-9._:-]{1,128}$"

_NAME = re.compile(PATTERN.strip("^$"))


def agree_on_run(names: Iterable[str]) -> str:
    """The one run that all parts of a request name; empty if none names any.

    Raises:
        InvalidRequest: a name is not 1 to 128 of the characters that are allowed.
        ContradictoryRun: the request names two runs.
    """
    given = set(names)
    for name in given:
        if not _NAME.fullmatch(name):
            message = "the name of a run is 1 to 128 letters, digits, dots, underscores, colons and dashes"
            raise InvalidRequest(message, param=HEADER)
    if len(given) > 1:
        raise ContradictoryRun(f"{HEADER}, ?run= and /run/NAME/ name different runs; name one", param=HEADER)
    return next(iter(given), "")


def parse_step(text: str) -> int:
    """The trainer's step that a header names. Raises InvalidRequest unless it is a whole number."""
    number = parse_whole(text.removeprefix("-"))
    if number is None or number > LARGEST_STEP:
        raise InvalidRequest("the step of a run is a whole number of up to 15 digits", param=STEP_HEADER)
    return -number if text.startswith("-") else number
