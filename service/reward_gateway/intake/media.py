"""Images as callers send them: base64, a ``data:`` URL or bytes in, checked bytes out, or the reason why not.

Images are not decoded: format, bytes and pixels are read from headers, so a small file cannot expand into gigabytes.
Call it from a thread: a large image may take milliseconds.
"""

from dataclasses import dataclass, replace

from reward_gateway.sample import Invalid, Media, media_digest
from reward_gateway.sample.base64_text import decode_base64, to_standard
from reward_gateway.settings import Settings

from .image_headers import size_of
from .media_faults import MediaFault


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Bytes and pixels an image, and whether addresses are fetched."""

    max_bytes: int
    max_pixels: int
    urls: bool

    @classmethod
    def of(cls, settings: Settings) -> "MediaLimits":
        return cls(settings.max_image_bytes, settings.max_image_pixels, settings.media_urls)


def from_content(content: str | bytes, param: str, limits: MediaLimits) -> Media | Invalid:
    """An image however it came: see :func:`from_text` and :func:`from_bytes`."""
    return from_text(content, param, limits) if isinstance(content, str) else from_bytes(content, param, limits)


def from_text(text: str, param: str, limits: MediaLimits) -> Media | Invalid:
    """An image from base64 of either alphabet, from a ``data:`` URL, or the address of one (http, https).

    Args:
        param: path below the sample, for the reason.
    """
    scheme = text[:8].lower()
    if scheme.startswith(("http://", "https://")):
        return from_url(text, param, limits)
    try:
        encoded = _after_head(text) if scheme.startswith("data:") else text
        return replace(check_image(_decode_base64(encoded, limits), limits), param=param)
    except MediaFault as fault:
        return fault.at(param)


def from_url(url: str, param: str, limits: MediaLimits) -> Media | Invalid:
    """The address of an image, where the operator lets the gateway fetch them."""
    if limits.urls:
        return Media(url=url, param=param)
    return MediaFault("this gateway fetches no addresses; send the image as base64").at(param)


def from_bytes(data: bytes, param: str, limits: MediaLimits) -> Media | Invalid:
    """An encoded image, checked by its size and its header."""
    try:
        return replace(check_image(data, limits), param=param)
    except MediaFault as fault:
        return fault.at(param)


def check_image(data: bytes, limits: MediaLimits) -> Media:
    """An encoded image within the limits, with the digest that stands for it in cache keys. Raises MediaFault."""
    if not data:
        raise MediaFault("empty")
    if len(data) > limits.max_bytes:
        raise over_bytes(limits)
    width, height = size_of(data)
    if width * height > limits.max_pixels:
        raise MediaFault(f"over the limit of {limits.max_pixels} pixels", "too_large")
    return Media(data=data, digest=media_digest(data))


def over_bytes(limits: MediaLimits) -> MediaFault:
    """The fault of an image of too many bytes."""
    return MediaFault(f"over the limit of {limits.max_bytes} bytes", "too_large")


def _after_head(url: str) -> str:
    head, comma, encoded = url.partition(",")
    kind, *params = head[5:].lower().split(";")
    if not comma or not params or params[-1].strip() != "base64":
        raise MediaFault("a data: URL must hold base64")
    if kind not in ("", "application/octet-stream") and not kind.startswith("image/"):
        raise MediaFault("a data: URL must be of an image (data:image/…;base64,…)")
    return encoded


def _decode_base64(text: str, limits: MediaLimits) -> bytes:
    try:
        if _least_bytes(text) > limits.max_bytes and _least_bytes(to_standard(text)) > limits.max_bytes:
            raise over_bytes(limits)
        return decode_base64(text)
    except MediaFault:
        raise
    except ValueError:
        raise MediaFault("not valid base64 (RFC 4648, section 4 or 5)") from None


def _least_bytes(encoded: str) -> int:
    """How many bytes base64 of this length holds at least, if it is padded and has no white space."""
    return len(encoded) * 3 // 4 - 2
