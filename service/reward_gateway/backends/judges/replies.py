"""What a chat server replied: the judge's words, or why there are none and whether asking again makes sense.

A reply's body may quote the question, so that nothing of it stands in a reason.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from reward_gateway.sample import Invalid

AGAIN = frozenset({408, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same question may be answered."""


@dataclass(frozen=True, slots=True)
class NotNow:
    """No answer, for now.

    Attributes:
        again: asking again may give one soon.
        after_s: the server's own word on when; None: it said nothing.
        down: the server is in trouble, not only busy.
    """

    reason: Invalid
    again: bool = True
    after_s: float | None = None
    down: bool = True


def refused(judge: str, status: int, headers: Mapping[str, str]) -> Invalid | NotNow:
    """The reason for a status that is not 200."""
    if status in AGAIN:
        busy = status == 429
        words = "says that it is asked too often" if busy else f"failed with status {status}"
        return NotNow(failed(judge, words), after_s=retry_after(headers.get("retry-after")), down=not busy)
    if 300 <= status < 400:
        return failed(judge, "sends its callers elsewhere; name that address as its base_url")
    return failed(judge, f"refused the question with status {status}")


def answer(judge: str, body: bytes) -> str | Invalid:
    """The text of a chat completion."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return failed(judge, "sent no chat completion")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str) or not content.strip():
        return failed(judge, "gave no text")
    return content


def failed(judge: str, words: str) -> Invalid:
    """The reason for a conversation without an answer."""
    return Invalid("judge_error", f"the judge {judge} {words}")


def retry_after(header: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header, which holds a number or a date; None where it cannot be read."""
    if header is None:
        return None
    try:
        return max(0.0, float(header)) if header.strip().replace(".", "", 1).isdigit() else _until(header)
    except (ValueError, TypeError, OverflowError):
        return None


def _until(date: str) -> float:
    return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
