"""A server's 4xx: which parameter it names, and what of its message may be passed on."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reward_gateway.sample import Invalid

from .replies import first_entry, judge_failure

PASSED_ON = frozenset({400, 404, 413, 422})
"""Statuses whose message may be passed on; those of 401 and 403 may name the key."""

LONGEST_MESSAGE = 200

_WORD = re.compile(r"[a-z0-9]+")
_OTHER_SCRIPTS = re.compile(r"[^\x00-\x7f]{2,}")
_OF_ERRORS = frozenset(
    _WORD.findall(
        "the and this that for with not are was has have you your use instead from than only must should cannot can "
        "model models request parameter parameters value values supported unsupported support invalid unknown "
        "unrecognized argument arguments field fields body type input output max maximum min minimum tokens token "
        "completion length context longer long limit exceeds exceeded however requested please reduce messages message "
        "content temperature default image images url format json schema response exist does found available error "
        "number integer string list object array allowed required missing"
    )
)
"""Words of servers' errors, which tell nothing of a conversation that has them too."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the server refused.

    Attributes:
        param, message: what its error says; empty if it says nothing.
    """

    status: int
    param: str
    message: str

    def explain(self, judge: str, conversation: Sequence[dict[str, Any]]) -> Invalid:
        """The reason for the caller, with the server's message where that repeats nothing of the conversation."""
        reason = f"refused the request with status {self.status}"
        message = " ".join(self.message.split())
        if self.status in PASSED_ON and message and not repeats(self.message, conversation):
            reason += f": {message[:LONGEST_MESSAGE]}{'…' if len(message) > LONGEST_MESSAGE else ''}"
        return judge_failure(judge, reason)


def read_refusal(status: int, body: bytes) -> Refusal:
    """A refusal, from the body of its answer: ``{"error": {"message", "param"}}`` as OpenAI has it, the same without
    ``error``, a text in its place, ``{"detail"}`` of a text or of faults with their places, or one of these in a list.
    """
    try:
        found = first_entry(json.loads(body))
    except (ValueError, RecursionError):
        return Refusal(status, "", "")
    error = found.get("error") or found if isinstance(found, dict) else None
    if isinstance(error, dict) and "message" not in error:
        error = first_entry(error.get("detail"))
    if isinstance(error, str):
        return Refusal(status, "", error)
    if not isinstance(error, dict):
        return Refusal(status, "", "")
    place = error.get("loc")
    param = error.get("param") or (".".join(map(str, place)) if isinstance(place, list) else "")
    message = error.get("message") or error.get("msg")
    return Refusal(status, param if isinstance(param, str) else "", message if isinstance(message, str) else "")


def repeats(message: str, conversation: Sequence[dict[str, Any]]) -> bool:
    """Whether a message has a word in common with the conversation that errors do not have of themselves.

    Words of one or two letters do not count; in scripts without spaces, two characters in a row are a word.
    """
    said = _words(message) - _OF_ERRORS
    return any(not said.isdisjoint(_words(text)) for text in _texts(list(conversation)))


def _words(text: str) -> set[str]:
    folded = text.casefold()
    words = {word for word in _WORD.findall(folded) if len(word) > 2 or word.isdigit()}
    return words | {run[i : i + 2] for run in _OTHER_SCRIPTS.findall(folded) for i in range(len(run) - 1)}


def _texts(value: Any) -> Iterator[str]:
    """All that the messages say: contents, parts, names and arguments of calls."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("role", "type"):
                yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
