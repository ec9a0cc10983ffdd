"""Texts and chat messages: read plainly, written canonically, grouped by prompt."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Message = Mapping[str, Any]
"""A chat message: ``role`` and ``content`` (text, or a list of parts)."""

Text = str | Sequence[Message]
"""A prompt or a response: plain text, or the chat messages that it consists of."""


def plain_text(text: Text) -> str:
    """A text as rules read it: chat messages become their texts, a line each; parts that are no text are left out."""
    if isinstance(text, str):
        return text
    return "\n".join(_content(message.get("content")) for message in text)


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in content or () if isinstance(part, Mapping))
    return "".join(part for part in parts if isinstance(part, str))


_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=dict)


def canonical_json(value: Any) -> str:
    """Chat messages or features as the one JSON text that equal values share: sorted keys, no spaces."""
    try:
        return _canonical.encode(value).decode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON may carry as an escape and UTF-8 may not
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=dict)


def prompt_group(prompt: Text) -> str:
    """The default group of a sample: samples of one prompt belong together.

    Equal chat messages give equal groups, whatever the order of their keys and the types that hold them.
    """
    if isinstance(prompt, str):
        return _group_name(prompt, b"")
    return _group_name(canonical_json(prompt), b"messages")  # never the group of a text that looks like messages


def _group_name(text: str, kind: bytes) -> str:
    return "prompt-" + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12, person=kind).hexdigest()
