"""The training run that a request belongs to: one rule for HTTP, gRPC and every dialect.

Cohorts, streams and all else that scoring writes belong to a caller and its run. A run is named by a header, by the
query, or by the address alone (``http://HOST:8080/run/NAME``), because many trainers take only an address.
"""

import re
from collections.abc import Iterable

from reward_gateway.errors import ContradictoryRun, InvalidRequest

HEADER = "X-Run"
"""The header's name; gRPC metadata has it in lower case."""

RUN_PATH = "/run/"
"""How a path begins that names its run."""

PATTERN = "^[A-Za-z0-9._:-]{1,128}$"

_NAME = re.compile(PATTERN.strip("^$"))


def split_run_path(path: str) -> tuple[str | None, str]:
    """The run that a path begins with (``/run/NAME/…``; None: it names none), and the rest of the path."""
    if not path.startswith(RUN_PATH):
        return None, path
    name, _, rest = path[len(RUN_PATH) :].partition("/")
    return name, f"/{rest}"


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
