"""Translates a failed call, Triton's status and message, into the reason for its rows.

Triton answers UNAVAILABLE both for a full queue and for an unreachable server, so the message decides. An exception of
a Python model is reported by its type only, because its text may quote the sample.
"""

import re

import grpc

from reward_gateway.backends.coalescer import CallFailed
from reward_gateway.sample import Invalid, InvalidCode
from reward_gateway.sample.fields import MEDIA

_QUEUE = re.compile(r"exceeds maximum queue size|request timeout expired|maximum queue delay", re.IGNORECASE)
_ABSENT = re.compile(r"unknown model|not ready|is not found|no available versions|not healthy|unload", re.IGNORECASE)
_EXCEPTION = re.compile(r"message: (\w+)(?=:)")
_PATH = re.compile(r"(?:/[\w.\-+]+){2,}")
_PLACE = re.compile(rf"((?:{'|'.join(MEDIA)})\[\d{{1,4}}\]): ")
_MAX_CHARS = 200


def connection_lost(error: grpc.aio.AioRpcError) -> bool:
    """True if the call may not have reached a model, so that one retry makes sense."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and not _QUEUE.search(error.details() or "")


def is_absent(error: grpc.aio.AioRpcError) -> bool:
    """True if the server answers, and does not have the model now."""
    return error.code() is grpc.StatusCode.NOT_FOUND or _ABSENT.search(error.details() or "") is not None


def is_final(error: grpc.aio.AioRpcError) -> bool:
    """True if another server would do no better: it is the request that is refused, or its time is over."""
    return error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.DEADLINE_EXCEEDED)


def is_queue_full(words: str) -> bool:
    """True if a message of the server says that its queue was full, or too slow."""
    return _QUEUE.search(words) is not None


def call_failure(model: str, error: grpc.aio.AioRpcError) -> CallFailed:
    """The reason for the rows of a call that failed as a whole."""
    code, words = error.code(), error.details() or ""
    if _QUEUE.search(words):
        return CallFailed(Invalid("overloaded", f"The queue of {model} is full; try again later."), divisible=False)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        reason = Invalid("deadline_exceeded", "The deadline passed before the model answered.")
        return CallFailed(reason, divisible=False)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return CallFailed(model_unavailable(model), divisible=False)
    if code is grpc.StatusCode.NOT_FOUND or _ABSENT.search(words):
        return CallFailed(model_unavailable(model), divisible="not healthy" in words)
    return CallFailed(Invalid("model_error", f"{model} failed: {clean_message(words)}."), divisible=True)


def model_unavailable(model: str) -> Invalid:
    """The reason if the server or the model is unavailable."""
    return Invalid("model_unavailable", f"{model} is not ready on the model server; try again later.")


def clean_message(words: str) -> str:
    """A message of the server without stack traces, paths and anything that may quote a sample."""
    exception = _EXCEPTION.search(words)
    if exception:
        return exception[1]
    line = words.partition("\n")[0].partition(", message:")[0]
    return _PATH.sub("…", line).strip(" .")[:_MAX_CHARS] or "no reason was given"


def row_failure(words: str) -> Invalid:
    """The reason that a model returned for one row: a sentence, or ``<code>: sentence`` with a known code.

    A sentence about one image begins with its place: ``images[2]: An image is broken.``
    """
    code, _, rest = words.partition(": ")
    if code in _ROW_CODES and rest:
        place = _PLACE.match(rest)
        return Invalid(_ROW_CODES[code], rest[:_MAX_CHARS], param=place[1] if place else None)
    return Invalid("model_error", words[:_MAX_CHARS])


_ROW_CODES: dict[str, InvalidCode] = {
    "missing_field": "missing_field",
    "invalid_field": "invalid_field",
    "invalid_media": "invalid_media",
    "too_large": "too_large",
    "truncated": "truncated",
    "model_error": "model_error",
    "unavailable": "model_unavailable",
    "overloaded": "overloaded",
}
