"""Reads the replies of a chat server: the judge's answer, or why there is none and whether a retry may help.

A reply's body may quote the prompt, so reasons never contain any of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reward_gateway.errors import seconds_of_retry_after
from reward_gateway.sample import Invalid

from ..retries import RETRYABLE_STATUSES, TemporaryFailure

FINISHED = frozenset({"stop", "eos", "eos_token", "stop_sequence", "end_turn"})
"""Values of ``finish_reason`` of an answer that came to its end; null and none are others."""

UNFINISHED = frozenset({"length", "max_tokens", "content_filter", "tool_calls", "function_call", "abort", "error"})
"""Other values that reasons name."""

TEXT_PARTS = frozenset({"text", "output_text"})
"""Types of the parts of a message that are the answer; others are reasoning or media."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer, and the natural log-probabilities of its most likely alternatives, itself among them."""

    text: str
    alternatives: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's answer.

    Attributes:
        text: its words, without reasoning that stood beside them.
        model: model and version as the server told them; empty if it told none.
        prompt_tokens, completion_tokens: as the server counted them; 0 if it did not.
        tokens: the tokens of ``text``, if they were asked for.
    """

    text: str
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens: tuple[Token, ...] = ()


def read_failure(judge: str, status: int, headers: Mapping[str, str]) -> Invalid | None:
    """The reason for a status other than 200; None for a refusal whose body may say more.

    Raises:
        TemporaryFailure: a retry may succeed.
    """
    if status in RETRYABLE_STATUSES:
        busy = status == 429
        words = "is rate limiting requests (status 429)" if busy else f"failed with status {status}"
        raise TemporaryFailure(
            judge_failure(judge, words), after_s=seconds_of_retry_after(headers.get("retry-after")), down=not busy
        )
    if 300 <= status < 400:
        return judge_failure(judge, "answered with a redirect; set base_url to the address that it redirects to")
    return None


def read_answer(judge: str, body: bytes) -> Reply | Invalid:
    """The answer of a chat completion; reasoning that stands beside it is no part of it.

    An answer that is not finished, a refusal and a call of a tool are no answer.

    Raises:
        TemporaryFailure: the body says that the request failed, or the answer is empty.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return judge_failure(judge, "sent a reply that is not a chat completion")
    if isinstance(reply, dict) and reply.get("error"):
        raise TemporaryFailure(judge_failure(judge, "answered with an error (status 200)"))
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        if choice.get("error"):
            raise TemporaryFailure(judge_failure(judge, "answered with an error (status 200)"))
        finish, content = choice.get("finish_reason"), message.get("content")
        refusal, calls = message.get("refusal"), message.get("tool_calls") or message.get("function_call")
    except (LookupError, TypeError, AttributeError):
        return judge_failure(judge, "sent a reply that is not a chat completion")
    if finish is not None and not (isinstance(finish, str) and finish.lower() in FINISHED):
        return judge_failure(judge, f"did not finish its answer ({_name_finish(finish)})")
    if refusal or (isinstance(content, list) and any(_kind(part) == "refusal" for part in content)):
        return judge_failure(judge, "refused to answer")
    if calls:
        return judge_failure(judge, "called a tool instead of answering")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if _kind(part) in TEXT_PARTS]
        content = "".join(part for part in parts if isinstance(part, str))
    if content is not None and not isinstance(content, str):
        return judge_failure(judge, "sent a reply that is not a chat completion")
    if not content or not content.strip():
        raise TemporaryFailure(judge_failure(judge, "answered without text"), down=False)
    return Reply(content, _read_model(reply), *_read_usage(reply), _read_tokens(choice))


def _read_model(reply: dict[str, Any]) -> str:
    """Model and version as the server tells them."""
    told = [reply.get(name) for name in ("model", "system_fingerprint")]
    return "/".join(name for name in told if isinstance(name, str) and name)


def _read_usage(reply: dict[str, Any]) -> tuple[int, int]:
    usage = reply.get("usage")
    counts = [usage.get(name) if isinstance(usage, dict) else 0 for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if type(count) is int and count > 0 else 0 for count in counts)
    return prompt, completion


def _read_tokens(choice: dict[str, Any]) -> tuple[Token, ...]:
    """The answer's tokens with their alternatives, where they were asked for and the server tells them."""
    try:
        return tuple(
            Token(
                token["token"],
                {other["token"]: float(other["logprob"]) for other in (token.get("top_logprobs") or ())},
            )
            for token in choice["logprobs"]["content"]
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return ()


def _kind(part: Any) -> Any:
    """The type of a part of a message's content; "text" where it says none."""
    return part.get("type", "text") if isinstance(part, dict) else None


def _name_finish(finish: Any) -> str:
    """A finish_reason that is known; others are not repeated, as they are the server's words."""
    return finish if isinstance(finish, str) and finish.lower() in UNFINISHED else "an unknown finish_reason"


def judge_failure(judge: str, words: str) -> Invalid:
    """The reason for a conversation without an answer."""
    return Invalid("judge_error", f"the judge {judge} {words}")
