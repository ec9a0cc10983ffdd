"""Why a call to an upstream failed, from its status and message; nothing that may quote a sample is kept."""

import json
import re
from collections.abc import Mapping

from reward_gateway.errors import seconds_of_retry_after
from reward_gateway.sample import Invalid

BUSY = frozenset({429, 503})
"""Statuses of a server that is up and has too much to do; any other 5xx, and 408 and 409, is a failing one."""

LONGEST_WAIT_S = 3600.0
"""The most of a ``Retry-After`` that is passed on."""

_TOO_LONG = re.compile(
    r"maximum (context|model|sequence|input|allowed)? ?(context |input )?length|max_model_len|too[ _](long|large)|"
    r"longer than|exceeds? the (max|limit|model)|must have less than \d+ tokens|context length|max_seq(uence)?_len",
    re.IGNORECASE,
)


class ReplicaFailed(Exception):
    """A replica did not answer; another may.

    Args:
        busy: it is up, and has too much to do.
        timed_out: it did not answer in time.
        lost: there was no connection, or it broke: it may be another server when it is back.
    """

    def __init__(self, reason: Invalid, *, busy: bool = False, timed_out: bool = False, lost: bool = False) -> None:
        super().__init__(reason.message)
        self.reason = reason
        self.busy = busy
        self.timed_out = timed_out
        self.lost = lost


class Refused(Exception):
    """A replica refuses a request, or answers what cannot be read: no other would do better.

    Args:
        rows: some of the request's rows may be the cause, so that the others may succeed alone.
    """

    def __init__(self, reason: Invalid, *, rows: bool = False) -> None:
        super().__init__(reason.message)
        self.reason = reason
        self.rows = rows


def read_refusal(name: str, status: int, headers: Mapping[str, str], body: bytes) -> ReplicaFailed | Refused:
    """The failure that a status other than 200 is."""
    if status in BUSY:
        after_s = seconds_of_retry_after(headers.get("retry-after"))
        after_s = None if after_s is None else min(after_s, LONGEST_WAIT_S)
        reason = Invalid("overloaded", f"{name} has too much to do (status {status}).", retry_after_s=after_s)
        return ReplicaFailed(reason, busy=True)
    if status >= 500 or status in (408, 409):
        return ReplicaFailed(Invalid("model_unavailable", f"{name} failed with status {status}."))
    if status in (401, 403):
        return Refused(Invalid("model_error", f"{name} refuses the key (status {status}); see api_key_env."))
    if 300 <= status < 400:
        return Refused(Invalid("model_error", f"{name} answers with a redirect; name the address that it leads to."))
    if status == 404 or status == 405:
        return Refused(Invalid("model_error", f"{name} has no such path or model (status {status}); see `model`."))
    if status == 424:  # TEI's, where the model failed: a NaN, say, which fails the whole call
        return Refused(Invalid("model_error", f"{name} failed at the sample (status 424)."), rows=True)
    if status == 413 or too_long(_message_of(body)):
        return Refused(Invalid("too_large", f"The text is too long for {name}.", param="response"), rows=True)
    return Refused(
        Invalid("invalid_field", f"{name} refuses the sample (status {status}).", param="response"), rows=True
    )


def too_long(words: str) -> bool:
    """Whether a server's message says that a text is too long for its model."""
    return _TOO_LONG.search(words) is not None


def _message_of(body: bytes) -> str:
    """Where servers put the reason: ``error``, ``message``, ``detail``. It is read, and never passed on."""
    try:
        answer = json.loads(body[: 1 << 16])
    except (ValueError, RecursionError):
        return body[:2000].decode("utf-8", "replace")
    return json.dumps(answer)[:4000]
