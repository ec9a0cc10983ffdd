"""Images as callers send them: base64 or bytes in, checked bytes out, or the reason why not.

Only the header is read here: the format has to be a known one, and the number of pixels is known before
anything is decoded, so that a small file cannot unfold into gigabytes of them.
"""

import base64
import binascii
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from reward_gateway.sample import Invalid, Media
from reward_gateway.settings import Settings

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Bytes and pixels an image, and whether addresses are fetched."""

    max_bytes: int
    max_pixels: int
    urls: bool

    @classmethod
    def of(cls, settings: Settings) -> "MediaLimits":
        return cls(settings.max_image_bytes, settings.max_image_pixels, settings.media_urls)


def from_text(text: str, param: str, limits: MediaLimits) -> Media | Invalid:
    """An image from base64, from a ``data:`` URL, or the address of one (http, https).

    Args:
        param: path below the sample, for the reason.
    """
    if text.startswith("data:"):
        header, comma, text = text.partition(",")
        if not comma or not header.endswith(";base64"):
            return Invalid("invalid_media", f"{param}: a data: URL must hold base64", param=param)
    elif text.startswith(("http://", "https://")):
        return from_url(text, param, limits)
    if len(text) * 3 // 4 - 2 > limits.max_bytes + text.count("\n"):
        return _over_bytes(param, limits)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            return Invalid("invalid_media", f"{param}: not valid base64", param=param)
    return from_bytes(data, param, limits)


def from_url(url: str, param: str, limits: MediaLimits) -> Media | Invalid:
    """The address of an image, where the operator lets the gateway fetch them."""
    if limits.urls:
        return Media(url=url)
    return Invalid(
        "invalid_media", f"{param}: this gateway fetches no addresses; send the image as base64", param=param
    )


def from_bytes(data: bytes, param: str, limits: MediaLimits) -> Media | Invalid:
    """An encoded image, checked by its size and its header."""
    if len(data) > limits.max_bytes:
        return _over_bytes(param, limits)
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            pixels = image.width * image.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _over_pixels(param, limits)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return Invalid("invalid_media", f"{param}: not an image of a known format ({', '.join(FORMATS)})", param=param)
    return _over_pixels(param, limits) if pixels > limits.max_pixels else Media(data=data)


def _over_bytes(param: str, limits: MediaLimits) -> Invalid:
    return Invalid("too_large", f"{param}: over the limit of {limits.max_bytes} bytes", param=param)


def _over_pixels(param: str, limits: MediaLimits) -> Invalid:
    return Invalid("too_large", f"{param}: over the limit of {limits.max_pixels} pixels", param=param)
