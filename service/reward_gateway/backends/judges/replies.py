"""What a chat server replied: the judge's words, or why there are none and whether asking again makes sense.

A reply's body may quote the question, so that nothing of it stands in a reason.
"""

import json
from collections.abc import Mapping

from reward_gateway.errors import seconds_of_retry_after
from reward_gateway.sample import Invalid

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same question may be answered."""


class TemporaryFailure(Exception):
    """No answer, for now.

    Args:
        again: asking again may give one soon.
        after_s: the server's own word on when; None: it said nothing.
        down: the server is in trouble, not only busy.
    """

    def __init__(
        self, reason: Invalid, *, retryable: bool = True, after_s: float | None = None, down: bool = True
    ) -> None:
        super().__init__(reason.message)
        self.reason = reason
        self.retryable = retryable
        self.after_s = after_s
        self.down = down


def read_refusal(judge: str, status: int, headers: Mapping[str, str]) -> Invalid:
    """The reason for a status that is not 200. Raises NotNow where the same question may be answered later."""
    if status in RETRYABLE_STATUSES:
        busy = status == 429
        words = "says that it is asked too often" if busy else f"failed with status {status}"
        raise TemporaryFailure(
            judge_failure(judge, words), after_s=seconds_of_retry_after(headers.get("retry-after")), down=not busy
        )
    if 300 <= status < 400:
        return judge_failure(judge, "sends its callers elsewhere; name that address as its base_url")
    return judge_failure(judge, f"refused the question with status {status}")


def read_answer(judge: str, body: bytes) -> str | Invalid:
    """The text of a chat completion."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return judge_failure(judge, "sent no chat completion")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str) or not content.strip():
        return judge_failure(judge, "gave no text")
    return content


def judge_failure(judge: str, words: str) -> Invalid:
    """The reason for a conversation without an answer."""
    return Invalid("judge_error", f"the judge {judge} {words}")
