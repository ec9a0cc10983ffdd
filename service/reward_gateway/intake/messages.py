"""Chat messages from the wire to plain mappings; their images join the sample's, in the order of reading.

Where an image stood, the part ``{"type": "image"}`` stays, as chat templates expect it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample.messages import ChatMessage, ImagePart, ImageUrl, MediaBytes, MediaObject, Part, TextPart

from .nesting import check_nesting

Source = tuple[str, str | bytes]
"""Path of an image below its sample, and its bytes, its base64 or its address."""

_TOOL_CALLS_LEVEL = 5
"""Levels above ``tool_calls``: the body, the list, the sample, the messages, the message."""


def media_content(item: str | MediaObject, param: str) -> str | bytes:
    """The bytes, the base64 or the address of an image. Raises InvalidRequest unless it is exactly one of them."""
    if isinstance(item, str):
        return item
    if isinstance(item, MediaBytes):
        return item.data
    if (item.b64 is None) == (item.url is None):
        raise InvalidRequest(f"{param}: give either b64 or url", param=param)
    return item.b64 if item.b64 is not None else item.url or ""


def plain_messages(
    messages: Sequence[ChatMessage], path: str, images: list[Source], max_nesting: int
) -> tuple[list[dict[str, Any]], int]:
    """The messages as mappings, and how many characters of text they hold.

    Args:
        path: where they stand, for example ``samples[3].prompt``.
        images: takes the images that are found.
    """
    plain, chars = [], 0
    for k, message in enumerate(messages):
        where = f"{path}[{k}]"
        entry: dict[str, Any] = {"role": message.role}
        if isinstance(message.content, list):
            entry["content"] = parts = _plain_parts(message.content, f"{where}.content", images)
            chars += sum(len(part.get("text", "")) for part in parts)
        else:
            entry["content"] = message.content
            chars += len(message.content or "")
        for key in ("name", "tool_call_id", "reasoning_content"):
            if (value := getattr(message, key)) is not None:
                entry[key] = value
                chars += len(value)
        if message.tool_calls is not UNSET:
            entry["tool_calls"] = _tool_calls(bytes(message.tool_calls), f"{where}.tool_calls", max_nesting)
            chars += len(message.tool_calls)
        plain.append(entry)
    return plain, chars


def _plain_parts(parts: Sequence[Part], where: str, images: list[Source]) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = []
    for k, part in enumerate(parts):
        path = f"{where}[{k}]"
        below = path.partition(".")[2]
        if isinstance(part, TextPart):
            plain.append({"type": "text", "text": part.text})
            continue
        if isinstance(part, ImagePart):
            source = f"{below}.image", media_content(part.image, f"{path}.image")
        else:
            held = part.image_url
            source = f"{below}.image_url", held.url if isinstance(held, ImageUrl) else held
        images.append(source)
        plain.append({"type": "image"})
    return plain


def _tool_calls(raw: bytes, param: str, max_nesting: int) -> Any:
    check_nesting(raw, max_nesting, above=_TOOL_CALLS_LEVEL, param=param)
    calls = msgspec.json.decode(raw)
    if calls is not None and not isinstance(calls, list):
        raise InvalidRequest(f"{param}: expected array", param=param)
    return calls
