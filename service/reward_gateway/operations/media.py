"""Encoded frames as a model's batch and a judge's conversation carry them."""

import base64
from collections.abc import Sequence
from typing import Any

from reward_gateway.sample import Media


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
