"""Request bodies: the size limit, as sent and decompressed, and safe decompression.

A few hundred bytes can decompress to gigabytes. So decompression works in steps and stops at the first byte over the
limit; the window size and the number of frames are limited too.
"""

import zlib

import zstandard

from reward_gateway.errors import MalformedBody, TooLarge, UnsupportedMediaType
from reward_gateway.whole_numbers import parse_whole

MAX_FRAMES = 100
"""Maximum gzip members or zstd frames per body: clients send one; thousands of empty ones would only waste time."""

MAX_WINDOW_BYTES = 8 << 20
"""The zstd window that RFC 9659 allows in HTTP."""

_STEP = 512
"""Compressed bytes per step: 4 bytes can encode a zstd block of 128 KiB, so a step yields at most 16 MiB."""


def too_large(limit: int) -> TooLarge:
    """The error for a body over ``limit`` bytes."""
    return TooLarge(f"the body exceeds the limit of {limit} bytes (as sent or decompressed)")


def declared_size(length: str | None, limit: int) -> int:
    """Content-Length, checked before the body is read; 0 without one. Raises TooLarge or MalformedBody."""
    if length is None:
        return 0
    size = parse_whole(length)
    if size is None:
        raise MalformedBody("Content-Length is no number of bytes")
    if size > limit:
        raise too_large(limit)
    return size


def encoding_of(header: str | None) -> str | None:
    """The content encoding of a body: None (uncompressed), ``gzip`` or ``zstd``. Raises UnsupportedMediaType."""
    if header is None:
        return None
    name = header.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip"):
        return "gzip"
    if name == "zstd":
        return "zstd"
    raise UnsupportedMediaType("this Content-Encoding is not supported; send the body uncompressed, or as gzip or zstd")


def decompress(data: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body.

    Args:
        encoding: ``gzip`` or ``zstd``.
        limit: maximum bytes of the decompressed body; decompression stops at the first byte over it.

    Raises:
        TooLarge: over the limit.
        MalformedBody: broken, truncated or empty, or too many frames.
    """
    frame = _gzip_member if encoding == "gzip" else _zstd_frame
    plain: list[bytes] = []
    size = 0
    rest = data
    for _ in range(MAX_FRAMES):
        try:
            chunk, rest = frame(rest, limit - size, limit)
        except (zlib.error, zstandard.ZstdError):
            raise MalformedBody(f"the body's {encoding} compression is broken") from None
        plain.append(chunk)
        size += len(chunk)
        if not rest:
            return b"".join(plain)
    raise MalformedBody(f"the body has more than {MAX_FRAMES} {encoding} frames")


def _gzip_member(data: bytes, room: int, limit: int) -> tuple[bytes, bytes]:
    inflate = zlib.decompressobj(wbits=31)
    plain = inflate.decompress(data, room + 1)
    if len(plain) > room:
        raise too_large(limit)
    if not inflate.eof:
        raise MalformedBody("the body's gzip compression is truncated")
    return plain, inflate.unused_data


def _zstd_frame(data: bytes, room: int, limit: int) -> tuple[bytes, bytes]:
    frame = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
    plain: list[bytes] = []
    view = memoryview(data)
    for start in range(0, len(data), _STEP):
        chunk = frame.decompress(view[start : start + _STEP])
        plain.append(chunk)
        room -= len(chunk)
        if room < 0:
            raise too_large(limit)
        if frame.eof:
            return b"".join(plain), frame.unused_data + bytes(view[start + _STEP :])
    raise MalformedBody("the body's zstd compression is truncated")
