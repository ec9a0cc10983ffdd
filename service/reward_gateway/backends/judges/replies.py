"""Reads the replies of a chat server: the judge's answer, or why there is none and whether a retry may help.

A reply's body may quote the prompt, so reasons never contain any of it.
"""

import json
from collections.abc import Mapping

from reward_gateway.errors import seconds_of_retry_after
from reward_gateway.sample import Invalid

from ..retries import RETRYABLE_STATUSES, TemporaryFailure


def read_refusal(judge: str, status: int, headers: Mapping[str, str]) -> Invalid:
    """The reason for a status other than 200. Raises TemporaryFailure if a retry may succeed."""
    if status in RETRYABLE_STATUSES:
        busy = status == 429
        words = "is rate limiting requests (status 429)" if busy else f"failed with status {status}"
        raise TemporaryFailure(
            judge_failure(judge, words), after_s=seconds_of_retry_after(headers.get("retry-after")), down=not busy
        )
    if 300 <= status < 400:
        return judge_failure(judge, "answered with a redirect; set base_url to the address that it redirects to")
    return judge_failure(judge, f"refused the request with status {status}")


def read_answer(judge: str, body: bytes) -> str | Invalid:
    """The text of a chat completion."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return judge_failure(judge, "sent a reply that is not a chat completion")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str) or not content.strip():
        return judge_failure(judge, "answered without text")
    return content


def judge_failure(judge: str, words: str) -> Invalid:
    """The reason for a conversation without an answer."""
    return Invalid("judge_error", f"the judge {judge} {words}")
