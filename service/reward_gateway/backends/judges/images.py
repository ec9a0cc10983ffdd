"""Images of a question as a judge is sent them: upright JPEG or PNG, not larger than it takes."""

import base64
import binascii
import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps

_HEAD = "data:image/"
_JPEG_QUALITY = 95
_ORIENTATION = 0x0112
_MODES = {"jpeg": ("L", "RGB"), "png": ("L", "RGB", "RGBA")}
"""Modes that every reader takes; CMYK and greys of 16 bits are none."""

MOST_PIXELS = 64_000_000
"""Most pixels of an image that is decoded."""


class UnreadableImage(ValueError):
    """An image of a question cannot be decoded."""


def has_images(conversation: Sequence[dict[str, Any]]) -> bool:
    """Whether a conversation holds images by their bytes."""
    return any(_is_image(part) for message in conversation for part in _parts(message))


def encode_images(conversation: Sequence[dict[str, Any]], max_side: int) -> list[dict[str, Any]]:
    """The conversation with every image decoded, turned upright, no side longer than ``max_side`` pixels, and encoded
    anew: of what a file says beside its pixels only their colour profile is left.

    JPEG stays JPEG, anything else becomes PNG, and the type says which. A JPEG whose pixels need no change keeps its
    tables, so that next to nothing of them is lost.

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _encode(data, max_side)
    except UnreadableImage:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadableImage("an image of the question cannot be decoded") from error


def _encode(data: bytes, max_side: int) -> tuple[str, bytes]:
    with Image.open(io.BytesIO(data)) as image:
        if image.width * image.height > MOST_PIXELS:
            raise UnreadableImage(f"an image of the question has over {MOST_PIXELS:,} pixels")
        kind = "jpeg" if image.format in ("JPEG", "MPO") else "png"
        turned = image.getexif().get(_ORIENTATION, 1) not in (0, 1)
        image.load()
        quality: int | str = _JPEG_QUALITY
        upright: Image.Image = image
        if image.format == "JPEG" and image.mode in _MODES["jpeg"] and not turned and max(image.size) <= max_side:
            quality = "keep"
        else:
            upright = ImageOps.exif_transpose(image)
            if upright.mode not in _MODES[kind]:
                upright = _convert(upright)
            upright.thumbnail((max_side, max_side))
        profile = image.info.get("icc_profile") if image.mode in (upright.mode, "P") else None
        buffer = io.BytesIO()
        options = {"quality": quality, "comment": b""} if kind == "jpeg" else {}
        Image.Image.save(upright, buffer, kind.upper(), exif=b"", icc_profile=profile, **options)
        return kind, buffer.getvalue()


def _convert(image: Image.Image) -> Image.Image:
    """An image as RGB, or RGBA where some of it is clear; greys of 16 bits are scaled, where Pillow would clip them."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image, dtype=np.int64).clip(0, 65_535) >> 8).astype(np.uint8))
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "RGB")


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
