"""Texts as other servers' clients write them: strings, chat messages of any flavour, labels of any type."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta, Raw

from reward_gateway.errors import InvalidRequest, MalformedBody
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.messages import ChatMessage, ImageUrlPart, Part, TextPart

RawObject = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
"""An object of the body that is sent back as it came; :func:`json_object` reads it."""

_TEXT_PARTS = ("text", "input_text", "output_text", "refusal")


def label(value: Any) -> str | None:
    """A dataset's label as a reference: text as it is, anything else as its JSON; null stays null."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def messages(value: Any, param: str) -> list[ChatMessage]:
    """Chat messages, leniently: keys that are not known are ignored. Raises InvalidRequest for what is no message."""
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise InvalidRequest(f"{param}: expected chat messages", param=param)
    return [_message(message, f"{param}[{i}]") for i, message in enumerate(value)]


def text_or_messages(value: Any, param: str) -> str | list[ChatMessage]:
    """A text, or chat messages; a single user message that is plain text is that text, and null is an empty one."""
    if value is None or isinstance(value, str):
        return value or ""
    return plain_if_single(messages(value, param), "user")


def plain_if_single(found: list[ChatMessage], role: str) -> str | list[ChatMessage]:
    """The text of a single message of that role, where it is nothing else; no messages are an empty text."""
    if not found:
        return ""
    only = found[0]
    plain = isinstance(only.content, str) and only.role == role
    return only.content if len(found) == 1 and plain and only.content is not None else found  # type: ignore[return-value]


def exchange(value: Any, param: str) -> SampleItem:
    """A conversation as a sample: the last message is the response, those before it are the prompt."""
    found = messages(value, param)
    if not found:
        raise InvalidRequest(f"{param}: there is no message", param=param)
    last = found[-1]
    return SampleItem(prompt=plain_if_single(found[:-1], "user"), response=plain_if_single([last], last.role))


def json_object(raw: Raw, param: str) -> dict[str, Any]:
    """The object in a piece of the body that is also sent back as it came. Raises InvalidRequest or MalformedBody."""
    content = bytes(raw)
    if content[:1] != b"{":
        raise InvalidRequest(f"{param}: expected object", param=param)
    try:
        content.decode()
        found: dict[str, Any] = msgspec.json.decode(content)
    except (UnicodeDecodeError, msgspec.DecodeError):
        raise MalformedBody("the body is not valid JSON (RFC 8259, UTF-8)") from None
    return found


def echo(raw: Raw) -> orjson.Fragment:
    """A piece of the body, as it came."""
    return orjson.Fragment(bytes(raw))


def part_text(value: Any, param: str) -> str:
    """A document: a text, or an object with one (``text``). Raises InvalidRequest."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        text: str = value["text"]
        return text
    raise InvalidRequest(f"{param}: expected a text, or an object with the key text", param=param)


def _message(message: dict[str, Any], param: str) -> ChatMessage:
    role, content = message.get("role", "user"), message.get("content")
    if not isinstance(role, str):
        raise InvalidRequest(f"{param}.role: expected str", param=f"{param}.role")
    if content is not None and not isinstance(content, str | list):
        raise InvalidRequest(f"{param}.content: expected str, array or null", param=f"{param}.content")
    parts = _parts(content, f"{param}.content") if isinstance(content, list) else content
    reasoning = message.get("reasoning_content")
    return ChatMessage(role, parts, reasoning_content=reasoning if isinstance(reasoning, str) else None)


def _parts(content: Sequence[Any], param: str) -> list[Part] | str:
    parts: list[Part] = []
    for k, part in enumerate(content):
        kind = part.get("type", "text") if isinstance(part, dict) else None
        if isinstance(part, str):
            parts.append(TextPart(part))
        elif kind in _TEXT_PARTS and isinstance(part.get("text", part.get("refusal")), str):
            parts.append(TextPart(part.get("text", part.get("refusal"))))
        elif kind in ("image_url", "input_image", "image"):
            parts.append(ImageUrlPart(_address(part, f"{param}[{k}]")))
        else:
            raise InvalidRequest(f"{param}[{k}]: expected a text or an image", param=f"{param}[{k}]")
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return parts


def _address(part: dict[str, Any], param: str) -> str:
    held = part.get("image_url", part.get("image"))
    if isinstance(held, dict):
        held = held.get("url")
    if not isinstance(held, str):
        raise InvalidRequest(f"{param}: expected an image's base64 or address", param=param)
    return held
