"""Chat messages from the wire to plain mappings; their images join the sample's, in the order of reading.

Where an image stood, the part ``{"type": "image"}`` stays, as chat templates expect it. Keys without content are left
out, and what has two published names gets one, so that a client's dump of a message equals the message.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, UnsetType

from reward_gateway.errors import InvalidRequest, MalformedBody
from reward_gateway.sample.messages import (
    UNREAD,
    ChatMessage,
    ImagePart,
    ImageUrl,
    ImageUrlPart,
    MediaBytes,
    MediaObject,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    has_content,
)

from .nesting import check_nesting

Source = tuple[str, str | bytes]
"""Path of an image below its sample, and its bytes, its base64 or its address."""

_LEVEL = 5
"""Levels above a key of a message: the body, the list, the sample, the messages, the message."""


_NO_JSON = MalformedBody("the body is not valid JSON (RFC 8259, UTF-8)")


class PlainMessages(NamedTuple):
    """Messages as mappings, how many characters of text they hold, and whether something in them is not read."""

    messages: list[dict[str, Any]]
    chars: int
    ignored: bool


def media_content(item: str | MediaObject, param: str) -> str | bytes:
    """The bytes, the base64 or the address of an image. Raises InvalidRequest unless it is exactly one of them."""
    if isinstance(item, str):
        return item
    if isinstance(item, MediaBytes):
        return item.data
    if (item.b64 is None) == (item.url is None):
        raise InvalidRequest(f"{param}: give either b64 or url", param=param)
    return item.b64 if item.b64 is not None else item.url or ""


def plain_messages(messages: Sequence[ChatMessage], path: str, images: list[Source], max_nesting: int) -> PlainMessages:
    """The messages as mappings.

    Args:
        path: where they stand, for example ``samples[3].prompt``.
        images: takes the images that are found.

    Raises:
        InvalidRequest: tool calls that are no list, or JSON that is nested too deep.
    """
    plain, chars, ignored = [], 0, False
    for k, message in enumerate(messages):
        entry, written, unread = _plain_message(message, f"{path}[{k}]", images, max_nesting)
        plain.append(entry)
        chars += written
        ignored |= unread
    return PlainMessages(plain, chars, ignored)


def plain_if_single(messages: list[dict[str, Any]], role: str) -> str | list[dict[str, Any]]:
    """The text of a single message of that role with nothing but a text, else the messages.

    The text and the message are one sample, whichever of them an entry sends, with one cache key and one group.
    """
    if len(messages) != 1 or messages[0].keys() != {"role", "content"} or messages[0]["role"] != role:
        return messages
    content = messages[0]["content"]
    if isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text":
        content = content[0]["text"]
    return content if isinstance(content, str) else messages


def _plain_message(
    message: ChatMessage, where: str, images: list[Source], max_nesting: int
) -> tuple[dict[str, Any], int, bool]:
    entry: dict[str, Any] = {"role": message.role}
    reasoning, ignored = [message.reasoning_content or message.reasoning or ""], False
    if isinstance(message.content, list):
        entry["content"] = parts = _plain_parts(message.content, f"{where}.content", images, reasoning)
        ignored = len(parts) + len(reasoning) - 1 < len(message.content)
        chars = sum(len(part.get("text", "")) for part in parts)
    else:
        entry["content"] = message.content
        chars = len(message.content or "")
    texts = {"name": message.name, "tool_call_id": message.tool_call_id}
    texts["reasoning_content"] = "\n\n".join(filter(None, reasoning)) or None
    for key, value in texts.items():
        if value is not None:
            entry[key] = value
            chars += len(value)
    calls, length = _read_calls(message, where, max_nesting)
    if calls:
        entry["tool_calls"] = calls
    for key in UNREAD:
        ignored |= _is_unread(getattr(message, key), f"{where}.{key}", max_nesting)
    ignored |= bool(calls) and has_content(message.tool_calls) and has_content(message.function_call)
    return entry, chars + length, ignored


def _plain_parts(parts: Sequence[Part], where: str, images: list[Source], reasoning: list[str]) -> list[dict[str, Any]]:
    """The parts that are read; ``reasoning`` takes those that are reasoning."""
    plain: list[dict[str, Any]] = []
    for k, part in enumerate(parts):
        path = f"{where}[{k}]"
        below = path.partition(".")[2]
        match part:
            case TextPart():
                plain.append({"type": "text", "text": part.text})
            case RefusalPart():
                plain.append({"type": "text", "text": part.refusal})
            case ThinkingPart():
                reasoning.append(part.thinking)
            case ImagePart():
                images.append((f"{below}.image", media_content(part.image, f"{path}.image")))
                plain.append({"type": "image"})
            case ImageUrlPart():
                held = part.image_url
                images.append((f"{below}.image_url", held.url if isinstance(held, ImageUrl) else held))
                plain.append({"type": "image"})
    return plain


def _read_calls(message: ChatMessage, where: str, max_nesting: int) -> tuple[list[Any], int]:
    """The calls of a message, and their length in bytes; a ``function_call`` is a call where there are no others."""
    if has_content(message.tool_calls):
        return _decode_calls(message.tool_calls, f"{where}.tool_calls", max_nesting)
    if not has_content(message.function_call):
        return [], 0
    param = f"{where}.function_call"
    call, length = _decode_key(message.function_call, param, max_nesting)
    if not isinstance(call, dict):
        raise InvalidRequest(f"{param}: expected object", param=param)
    return [{"type": "function", "function": call}], length


def _decode_calls(raw: str | Raw | UnsetType, param: str, max_nesting: int) -> tuple[list[Any], int]:
    calls, length = _decode_key(raw, param, max_nesting)
    if not isinstance(calls, list):
        raise InvalidRequest(f"{param}: expected array", param=param)
    return calls, length


def _decode_key(raw: str | Raw | UnsetType, param: str, max_nesting: int) -> tuple[Any, int]:
    assert isinstance(raw, Raw)
    content = bytes(raw)
    check_nesting(content, max_nesting, above=_LEVEL, param=param)
    try:
        return msgspec.json.decode(content), len(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _NO_JSON from None


def _is_unread(value: str | Raw | UnsetType, param: str, max_nesting: int) -> bool:
    """Whether a key that nothing reads has content, which has to be JSON all the same."""
    if not isinstance(value, Raw):
        return False
    content = bytes(value)
    check_nesting(content, max_nesting, above=_LEVEL, param=param)
    try:
        content.decode()
    except UnicodeDecodeError:
        raise _NO_JSON from None
    return has_content(value)
