"""Images in requests: they stay bytes until they are sent, and are never whole in base64."""

import base64
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec

from reward_gateway.sample import Media

_KINDS = (("png", 0, b"\x89PNG\r\n\x1a\n"), ("gif", 0, b"GIF8"), ("webp", 8, b"WEBP"))
"""Types of images by the bytes at a place; any other is sent as JPEG."""

CHUNK = 3 << 16
"""Bytes of an image that are encoded at a time: a multiple of three, so that the pieces join to one base64."""


class ImageUrl:
    """Stands in a message for the ``data:`` URL of an image. No dataclass, which would be JSON by itself."""

    __slots__ = ("image",)

    def __init__(self, image: Media) -> None:
        self.image = image

    @property
    def prefix(self) -> str:
        """What stands before the base64."""
        data = self.image.data or b""
        kind = next((kind for kind, at, magic in _KINDS if data[at : at + len(magic)] == magic), "jpeg")
        return f"data:image/{kind};base64,"

    @property
    def size(self) -> int:
        """Characters of the URL."""
        return len(self.prefix) + 4 * -(-len(self.image.data or b"") // 3)

    def pieces(self) -> Iterator[bytes]:
        """The URL, in pieces."""
        yield self.prefix.encode()
        data = memoryview(self.image.data or b"")
        for start in range(0, len(data), CHUNK):
            yield base64.b64encode(data[start : start + CHUNK])


class JsonBody:
    """A JSON value as the body of a request, whose images are written as they are sent.

    Attributes:
        size: its length in bytes.
    """

    def __init__(self, value: Any) -> None:
        self._images: list[ImageUrl] = []
        self._mark = secrets.token_hex(16)  # no text of a sample can hold it
        skeleton = msgspec.json.encode(value, enc_hook=self._leave_out)
        self._texts = re.split(rf"{self._mark}".encode(), skeleton) if self._images else [skeleton]
        self.size = sum(map(len, self._texts)) + sum(image.size for image in self._images)

    def _leave_out(self, value: Any) -> str:
        if not isinstance(value, ImageUrl):
            raise TypeError(f"{type(value).__name__} is not JSON")
        self._images.append(value)
        return self._mark

    @property
    def content(self) -> "bytes | AsyncIterator[bytes]":
        """What an HTTP client sends: the bytes, or a stream of them where there are images."""
        return self._stream() if self._images else self._texts[0]

    async def _stream(self) -> AsyncIterator[bytes]:
        for piece in self.pieces():
            yield piece

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces, none of them longer than the texts or a part of an image."""
        for text, image in zip(self._texts, [*self._images, None], strict=True):
            yield text
            if image is not None:
                yield from image.pieces()


def write_images(value: Any) -> Any:
    """The same with URLs as texts, for a form that is one text itself."""
    if isinstance(value, ImageUrl):
        return b"".join(value.pieces()).decode()
    if isinstance(value, dict):
        return {key: write_images(entry) for key, entry in value.items()}
    return [write_images(entry) for entry in value] if isinstance(value, list) else value


def count_json_bytes(value: Any) -> int:
    """About as many bytes as a value has in JSON, images included."""
    if isinstance(value, ImageUrl):
        return value.size
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + count_json_bytes(entry) for key, entry in value.items())
    return sum(map(count_json_bytes, value)) + 2 if isinstance(value, list) else 8
