"""Encoded frames as items, a model's batch and a judge's conversation carry them."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, WithJsonSchema

from reward_gateway.sample import Media
from reward_gateway.sample.base64_text import decode_base64


def _as_media(value: Any) -> Any:
    """A base64 text as media; a sample's media, which a recipe hands over, as they are."""
    if not isinstance(value, str):
        return value
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        data = decode_base64(text)
    except ValueError:
        raise ValueError("a frame is not base64") from None
    if not data:
        raise ValueError("a frame is empty")
    return Media(data=data)


Frame = Annotated[
    InstanceOf[Media], BeforeValidator(_as_media), WithJsonSchema({"type": "string", "contentEncoding": "base64"})
]
"""A field of an item: base64 over HTTP, the sample's own frames in a recipe."""


def media_of(frames: Sequence[bytes]) -> list[Media]:
    """Frames or images of one sample."""
    return [Media(data=frame) for frame in frames]


def image_part(data: bytes) -> dict[str, Any]:
    """An image as a part of a chat message."""
    kind = "png" if data.startswith(b"\x89PNG") else "webp" if data[8:12] == b"WEBP" else "jpeg"
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def text_part(text: str) -> dict[str, Any]:
    """A text as a part of a chat message."""
    return {"type": "text", "text": text}


def user_message(text: str, images: Sequence[bytes] = ()) -> dict[str, Any]:
    """A user's message: images in order, then the text; plain text where there are none."""
    if not images:
        return {"role": "user", "content": text}
    return {"role": "user", "content": [*(image_part(image) for image in images), text_part(text)]}
