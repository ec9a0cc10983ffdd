"""Texts as other servers' clients send them: strings, chat messages in several formats, labels of any type."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta, Raw

from reward_gateway.errors import InvalidRequest, MalformedBody
from reward_gateway.intake.chat_text import TextSample
from reward_gateway.sample import POLICY_ROLES
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.messages import UNREAD, ChatMessage, ImageUrlPart, Part, TextPart

RawObject = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
"""An object of the body that is sent back unchanged; :func:`json_object` reads it."""

_TEXT_PARTS = ("text", "input_text", "output_text", "refusal")
_OTHER_PARTS = ("thinking", "input_audio", "audio_url", "video_url", "file")
_TEXT_KEYS = ("name", "tool_call_id", "reasoning_content", "reasoning")
_OPEN_KEYS = ("tool_calls", "function_call", *UNREAD)
"""Keys of a message whose values are any JSON."""


def parse_messages(value: Any, param: str) -> list[ChatMessage]:
    """Parse chat messages; unknown keys are ignored. Raises InvalidRequest for anything that is not a message."""
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise InvalidRequest(f"{param}: expected chat messages", param=param)
    return [_parse_message(message, f"{param}[{i}]") for i, message in enumerate(value)]


def text_or_messages(value: Any, param: str) -> str | list[ChatMessage] | None:
    """A text, or chat messages. A single user message with plain text becomes that text; null and no messages at all
    are None: there is no text."""
    if value is None or isinstance(value, str):
        return value
    return plain_if_single(parse_messages(value, param), "user")


def plain_if_single(messages: list[ChatMessage], role: str) -> str | list[ChatMessage] | None:
    """The text of a single plain-text message of that role, else the messages; None for no messages."""
    if not messages:
        return None
    only = messages[0]
    if len(messages) == 1 and only.role == role and only.says_text_alone:
        return str(only.content)
    return messages


def split_conversation(value: Any, param: str, *, whole: bool = False) -> SampleItem:
    """A conversation as a sample: the last message is the response, those before it are the prompt.

    Args:
        whole: a single message that is not the assistant's is a text that may hold all of a conversation. Else it is a
            response without a prompt, as a single message of the assistant is.
    """
    messages = parse_messages(value, param)
    if not messages:
        raise InvalidRequest(f"{param}: expected at least one message", param=param)
    last = messages[-1]
    response = plain_if_single([last], last.role)
    if whole and len(messages) == 1 and last.role not in POLICY_ROLES:
        return TextSample(response=response) if isinstance(response, str) else SampleItem(prompt="", response=response)
    return SampleItem(prompt=plain_if_single(messages[:-1], "user") if messages[1:] else None, response=response)


def split_answered(value: Any, param: str) -> SampleItem:
    """As :func:`split_conversation`, of a conversation whose last message is the assistant's: what others said is no
    response. Raises InvalidRequest for another."""
    sample = split_conversation(value, param)
    if value[-1].get("role") != "assistant":
        raise InvalidRequest(f"{param}: expected the assistant's message last", param=param)
    return sample


def json_object(raw: Raw, param: str) -> dict[str, Any]:
    """Decode an object of the body that is also sent back unchanged. Raises InvalidRequest or MalformedBody."""
    content = bytes(raw)
    if content[:1] != b"{":
        raise InvalidRequest(f"{param}: expected object", param=param)
    try:
        content.decode()
        value: dict[str, Any] = msgspec.json.decode(content)
    except (UnicodeDecodeError, msgspec.DecodeError):
        raise MalformedBody("the body is not valid JSON (RFC 8259, UTF-8)") from None
    return value


def echo_raw(raw: Raw) -> orjson.Fragment:
    """A piece of the body, to be sent back unchanged."""
    return orjson.Fragment(bytes(raw))


def part_text(value: Any, param: str) -> str:
    """The text of a document: a text, or an object with a ``text``. Raises InvalidRequest for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        text: str = value["text"]
        return text
    raise InvalidRequest(f"{param}: expected a text or an object with the key text", param=param)


def _parse_message(message: dict[str, Any], param: str) -> ChatMessage:
    role, content = message.get("role", "user"), message.get("content")
    if not isinstance(role, str):
        raise InvalidRequest(f"{param}.role: expected str", param=f"{param}.role")
    if content is not None and not isinstance(content, str | list):
        raise InvalidRequest(f"{param}.content: expected str, array or null", param=f"{param}.content")
    parts = _parse_parts(content, f"{param}.content") if isinstance(content, list) else content
    parsed = ChatMessage(role, parts)
    for key in _TEXT_KEYS:
        if isinstance(value := message.get(key), str):
            setattr(parsed, key, value)
    for key in _OPEN_KEYS:
        if value := message.get(key):
            setattr(parsed, key, Raw(msgspec.json.encode(value)))
    return parsed


def _parse_parts(content: Sequence[Any], param: str) -> list[Part] | str:
    parts: list[Part] = []
    for k, part in enumerate(content):
        kind = part.get("type", "text") if isinstance(part, dict) else None
        if isinstance(part, str):
            parts.append(TextPart(part))
        elif kind in _TEXT_PARTS and isinstance(part.get("text", part.get("refusal")), str):
            parts.append(TextPart(part.get("text", part.get("refusal"))))
        elif kind in ("image_url", "input_image", "image"):
            parts.append(ImageUrlPart(_image_address(part, f"{param}[{k}]")))
        elif kind in _OTHER_PARTS:
            parts.append(_other_part(part, f"{param}[{k}]"))
        else:
            raise InvalidRequest(f"{param}[{k}]: expected a text or an image", param=f"{param}[{k}]")
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return parts


def _other_part(part: dict[str, Any], param: str) -> Part:
    known: Part
    try:
        known = msgspec.json.decode(msgspec.json.encode(part), type=Part)
    except msgspec.ValidationError:
        raise InvalidRequest(f"{param}: not a part of its type", param=param) from None
    return known


def _image_address(part: dict[str, Any], param: str) -> str:
    image = part.get("image_url", part.get("image"))
    if isinstance(image, dict):
        image = image.get("url")
    if not isinstance(image, str):
        raise InvalidRequest(f"{param}: expected an image as base64 or as a URL", param=param)
    return image
