"""Texts and chat messages: as plain text, as canonical JSON, and grouped by prompt."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from .tool_calls import calls_text

Message = Mapping[str, Any]
"""A chat message: ``role`` and ``content`` (text, or a list of parts)."""

Text = str | Sequence[Message]
"""A prompt or a response: plain text, or the chat messages that it consists of."""


_ROLE_LINE = re.compile(r"^[ \t]*\[\w+\][ \t]*$", re.MULTILINE)

POLICY_ROLES = ("assistant", "model")
"""Roles of what the policy says."""


def plain_text(text: Text) -> str:
    """A text in the form that rules read: chat messages become one line each; parts other than text are left out."""
    if isinstance(text, str):
        return text
    return "\n".join(_extract_text(message.get("content")) for message in text)


def own_turns(response: Text) -> Text:
    """What the policy itself said of a response: without the turns of tools, users and others."""
    return response if isinstance(response, str) else [turn for turn in response if turn.get("role") in POLICY_ROLES]


def shown_text(text: Text) -> str:
    """A text in the form that models and judges are shown: as :func:`plain_text`, with the tool calls of a message as
    JSON below its words."""
    if isinstance(text, str):
        return text
    return "\n".join(map(_show_message, text))


def turns_text(text: Text) -> str:
    """A text as :func:`shown_text`; where it has several turns, each below its role: ``[assistant]``.

    A line of a turn that looks like a role has a backslash before it.
    """
    if isinstance(text, str) or (len(text) == 1 and text[0].get("role") in ("user", *POLICY_ROLES)):
        return shown_text(text)
    return label_turns(text)


def label_turns(turns: Sequence[Message]) -> str:
    """Turns as :func:`turns_text` has them, one alone with its role as well."""
    shown = (_ROLE_LINE.sub(r"\\\g<0>", _show_message(turn)) for turn in turns)
    return "\n\n".join(f"[{turn.get('role') or 'user'}]\n{words}" for turn, words in zip(turns, shown, strict=True))


def turn_text(turn: Message, *, calls: bool = False) -> str:
    """The words of one message; with its tool calls as JSON below them if ``calls``."""
    return _show_message(turn) if calls else _extract_text(turn.get("content"))


def _show_message(message: Message) -> str:
    words, calls = _extract_text(message.get("content")), calls_text(message.get("tool_calls"))
    return f"{words}\n{calls}" if words and calls else words or calls


def _extract_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in content or () if isinstance(part, Mapping))
    return "".join(part for part in parts if isinstance(part, str))


def _to_plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else dict(value)


_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=_to_plain)


def canonical_json(value: Any) -> str:
    """Chat messages or features as canonical JSON: sorted keys, no spaces, the same text for equal values."""
    try:
        return _canonical.encode(value).decode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON may contain as an escape and UTF-8 may not
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_to_plain)


def json_text(value: bool | float) -> str:
    """A number or a boolean as its JSON text: 42, 0.5, true."""
    return json.dumps(value)


def prompt_group(prompt: Text) -> str:
    """The default group of a sample: samples of one prompt belong together.

    Equal chat messages give equal groups, whatever the order of their keys and the types that hold them.
    """
    if isinstance(prompt, str):
        return _group_name(prompt, b"")
    return _group_name(canonical_json(prompt), b"messages")  # so that a text that looks like messages has another group


def _group_name(text: str, kind: bytes) -> str:
    return "prompt-" + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12, person=kind).hexdigest()
