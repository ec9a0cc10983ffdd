"""Reads the replies of a chat server: the judge's answer, or why there is none and whether a retry may help.

A reply's body may quote the prompt, so reasons never contain any of it.
"""

import json
from collections.abc import Mapping, Sequence
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
    """A token of an answer.

    Attributes:
        alternatives: tokens that might have stood there, itself among them, with their natural log-probabilities; a
            text that several tokens have stands there as often.
    """

    text: str
    alternatives: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's answer.

    Attributes:
        text: its words, without reasoning that stood beside them.
        model: model and version as the server told them; empty if it told none.
        tokens: the tokens that the server generated, those of reasoning among them, if they were asked for.
        cached: it was given to an earlier question, and cost nothing now.
    """

    text: str
    model: str = ""
    tokens: Sequence[Token] = ()
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What came of a request: an answer or none, and what was paid for either.

    Attributes:
        prompt_tokens, completion_tokens: as the server counted them; 0 if it did not.
        again: another request may have an answer.
        drawn: the same where answers are drawn, at a temperature above 0: the server works, and gave this one.
        failing: the server is in trouble.
    """

    answer: Reply | Invalid
    prompt_tokens: int = 0
    completion_tokens: int = 0
    again: bool = False
    drawn: bool = False
    failing: bool = False


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
        return judge_failure(judge, "answered with a redirect; name the address that it redirects to")
    return None


def read_completion(judge: str, body: bytes) -> Completion:
    """A chat completion as its server sent it; reasoning that stands beside the answer is no part of it.

    An answer that is not finished, a refusal and a call of a tool are no answer; another may be drawn. One that is
    empty, and an error in place of a completion, may be asked for again.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return Completion(_no_completion(judge))
    reply = first_entry(reply)
    if isinstance(reply, dict) and (reply.get("error") or reply.get("object") == "error"):
        return Completion(judge_failure(judge, "answered with an error (status 200)"), again=True, failing=True)
    try:
        choices = reply["choices"]
        choice = choices[0] if choices else {"message": {}}
        failed, finish = choice.get("error"), choice.get("finish_reason")
        answer = _read_text(judge, choice["message"])
    except (LookupError, TypeError, AttributeError):
        return Completion(_no_completion(judge))
    prompt, completion = _read_usage(reply)
    if failed:
        failure = judge_failure(judge, "answered with an error (status 200)")
        return Completion(failure, prompt, completion, again=True, failing=True)
    if finish is not None and not (isinstance(finish, str) and finish.lower() in FINISHED):
        answer = judge_failure(judge, f"did not finish its answer ({_name_finish(finish)})")
    if isinstance(answer, Invalid):
        return Completion(answer, prompt, completion, drawn=True)
    if not answer.strip():
        return Completion(judge_failure(judge, "answered without text"), prompt, completion, again=True)
    return Completion(Reply(answer, _read_model(reply), _read_tokens(choice)), prompt, completion)


def first_entry(body: Any) -> Any:
    """The entry of a list of one, in which some servers send their errors; anything else as it is."""
    return body[0] if isinstance(body, list) and len(body) == 1 else body


def _read_text(judge: str, message: dict[str, Any]) -> str | Invalid:
    """The text of a message, which may be empty, or why it is no answer. Raises as a wrong type does."""
    content, refusal = message.get("content"), message.get("refusal")
    if refusal is not None or (isinstance(content, list) and any(_kind(part) == "refusal" for part in content)):
        return judge_failure(judge, "refused to answer")
    if message.get("tool_calls") or message.get("function_call"):
        return judge_failure(judge, "called a tool instead of answering")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if _kind(part) in TEXT_PARTS]
        content = "".join(part for part in parts if isinstance(part, str))
    if content is not None and not isinstance(content, str):
        raise TypeError("content that is no text")
    return content or ""


def _no_completion(judge: str) -> Invalid:
    return judge_failure(judge, "sent a reply that is not a chat completion")


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
        return tuple(map(_read_token, choice["logprobs"]["content"]))
    except (LookupError, TypeError, ValueError, AttributeError):
        return ()


def _read_token(token: dict[str, Any]) -> Token:
    text = token["token"]
    if not isinstance(text, str):
        raise TypeError("a token without a text")
    found = [(str(other["token"]), float(other["logprob"])) for other in token.get("top_logprobs") or ()]
    if text not in dict(found) and token.get("logprob") is not None:  # drawn, and not among the most probable
        found.append((text, float(token["logprob"])))
    return Token(text, tuple(found))


def _kind(part: Any) -> Any:
    """The type of a part of a message's content; "text" where it says none."""
    return part.get("type", "text") if isinstance(part, dict) else None


def _name_finish(finish: Any) -> str:
    """A finish_reason that is known; others are not repeated, as they are the server's words."""
    return finish if isinstance(finish, str) and finish.lower() in UNFINISHED else "an unknown finish_reason"


def judge_failure(judge: str, words: str) -> Invalid:
    """The reason for a conversation without an answer."""
    return Invalid("judge_error", f"the judge {judge} {words}")
