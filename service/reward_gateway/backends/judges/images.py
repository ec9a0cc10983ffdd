"""Images of a question as a judge is sent them: upright JPEG or PNG, not larger than it takes."""

import base64
import binascii
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageOps

_HEAD = "data:image/"
_JPEG_QUALITY = 95
_ORIENTATION = 0x0112


class UnreadableImage(ValueError):
    """An image of a question cannot be decoded."""


def has_images(conversation: Sequence[dict[str, Any]]) -> bool:
    """Whether a conversation holds images by their bytes."""
    return any(_is_image(part) for message in conversation for part in _parts(message))


def encode_images(conversation: Sequence[dict[str, Any]], max_side: int) -> list[dict[str, Any]]:
    """The conversation with every image decoded, turned upright, and no side longer than ``max_side`` pixels.

    JPEG stays JPEG, anything else becomes PNG, and the type says which. A JPEG or PNG that needs no change is sent as
    it came, so that nothing is lost.

    Raises:
        UnreadableImage: an image cannot be decoded.
    """
    return [_encode_message(message, max_side) for message in conversation]


def _encode_message(message: dict[str, Any], max_side: int) -> dict[str, Any]:
    parts = _parts(message)
    if not any(map(_is_image, parts)):
        return message
    return {**message, "content": [_encode_part(part, max_side) if _is_image(part) else part for part in parts]}


def _encode_part(part: dict[str, Any], max_side: int) -> dict[str, Any]:
    kind, data = encode_image(_decode_url(part["image_url"]["url"]), max_side)
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return {**part, "image_url": {**part["image_url"], "url": url}}


def encode_image(data: bytes, max_side: int) -> tuple[str, bytes]:
    """An image's type, jpeg or png, and its bytes; of an animation the first frame. Raises UnreadableImage."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = "jpeg" if image.format in ("JPEG", "MPO") else "png"
            turned = image.getexif().get(_ORIENTATION, 1) not in (0, 1)
            usual = image.format in ("JPEG", "PNG") and getattr(image, "n_frames", 1) == 1
            if usual and not turned and max(image.size) <= max_side:
                image.load()
                return kind, data
            image.load()
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((max_side, max_side))
            if upright.mode not in ("L", "RGB", "RGBA"):
                has_alpha = "A" in upright.getbands() or "transparency" in upright.info
                upright = upright.convert("RGBA" if has_alpha else "RGB")
            if kind == "jpeg":
                upright = upright.convert("RGB")
            buffer = io.BytesIO()
            options = {"quality": _JPEG_QUALITY} if kind == "jpeg" else {}
            Image.Image.save(upright, buffer, kind.upper(), exif=b"", **options)
            return kind, buffer.getvalue()
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadableImage("an image of the question cannot be decoded") from error


def _decode_url(url: str) -> bytes:
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error as error:
        raise UnreadableImage("an image of the question is not base64") from error


def _parts(message: dict[str, Any]) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _is_image(part: Any) -> bool:
    named = part.get("image_url") if isinstance(part, dict) else None
    url = named.get("url") if isinstance(named, dict) else None
    return isinstance(url, str) and url.startswith(_HEAD)
