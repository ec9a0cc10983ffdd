"""Samples as chat messages in the form of OpenAI, with images in their places."""

from collections.abc import Iterator, Sequence
from typing import Any

from reward_gateway.sample import Media, Text

from .images import ImageUrl


def join_conversation(prompt: Text, response: Text, images: Sequence[Media]) -> list[dict[str, Any]]:
    """Prompt and response as one list of chat messages.

    Images take the places of the messages' own, in the order of reading; further ones come first in the first message
    of the user. Without images the places are left out. A content that is null is empty, as servers take it.
    Two texts are two turns, the first of which may be empty, as models on Triton read them: many templates begin with a
    user's turn.
    """
    if isinstance(prompt, str) and isinstance(response, str) and not images:
        return [
            {"role": "user", "content": as_unicode(prompt)},
            {"role": "assistant", "content": as_unicode(response)},
        ]
    asked = isinstance(prompt, str) and (prompt or isinstance(response, str))
    before = [{"role": "user", "content": prompt}] if asked else list(prompt or [])
    after = [{"role": "assistant", "content": response}] if isinstance(response, str) else list(response)
    written = [message for message in (*before, *after) if not isinstance(message, str)]
    waiting = iter(images)
    messages = [{**message, "content": _fill_places(message.get("content"), waiting)} for message in written]
    if further := [_image_part(image) for image in waiting]:
        first = next((message for message in messages if message.get("role") == "user"), None)
        if first is None:
            first = {"role": "user", "content": ""}
            messages.insert(0, first)
        content = first["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
        first["content"] = [*further, *(part for part in parts if part.get("text") != "")]
    return [clean_texts(message) for message in messages]


def _fill_places(content: Any, images: Iterator[Media]) -> Any:
    """A message's content with images in the places ``{"type": "image"}``; a list of nothing but texts stays a list."""
    if not isinstance(content, list):
        return content if content is not None else ""
    parts: list[Any] = []
    for part in content:
        if isinstance(part, dict) and part.get("type") == "image":
            image = next(images, None)
            parts += [] if image is None else [_image_part(image)]
        else:
            parts.append(part)
    return parts


def _image_part(image: Media) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": ImageUrl(image)}}


def clean_texts(value: Any) -> Any:
    """The same without lone surrogates, which JSON on the wire cannot hold."""
    if isinstance(value, str):
        return as_unicode(value)
    if isinstance(value, dict):
        return {key: clean_texts(entry) for key, entry in value.items()}
    return [clean_texts(entry) for entry in value] if isinstance(value, list) else value


def as_unicode(text: str) -> str:
    """A text with ``?`` for lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
