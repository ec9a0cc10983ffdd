"""What an encoded image claims to be, read from its structure alone: five formats, nothing decoded or inflated.

A decoder walks over every piece of a file before it knows the size, some of it byte by byte: megabytes of empty
pieces keep one busy for seconds, and so do hundreds of scans over the same pixels. So the pieces are counted here, in
a few milliseconds at most, and a file with more of them than any real one has is refused.
"""

import re
import struct
from collections.abc import Callable

from .media_faults import MediaFault

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")

MOST_CHUNKS = 16_384
"""Chunks of a PNG: 20 MiB in the 4 KiB that the most cautious encoders write are 5,120."""
MOST_SEGMENTS = 1_024
"""Segments of a JPEG, fill bytes included: 20 MiB of metadata are 320."""
MOST_SCANS = 32
"""Scans of a JPEG, each of which touches every pixel once more; progressive encoders write about ten."""
MOST_BLOCKS = 2_048
"""Blocks of 255 bytes before the first frame of a GIF: half a megabyte of comments."""

_START = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The next marker in compressed data, past stuffed zeros and restarts."""
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_UNCOMPRESSED = (0, 3, 6)

UNKNOWN = f"not an image of a known format ({', '.join(FORMATS)})"
BROKEN = "a broken image: its header cannot be read"
CROWDED = "an image of more pieces (chunks, segments, scans or comments) than any real one has"


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height that an image claims, at least 1 each.

    Raises:
        MediaFault: no known format, a broken header, no pixels, or more pieces than any real image has.
    """
    read_size = next((read_size for magic, at, read_size in _READERS if data.startswith(magic, at)), None)
    if read_size is None:
        raise MediaFault(UNKNOWN)
    try:
        width, height = read_size(data)
    except (struct.error, IndexError):
        raise MediaFault(BROKEN) from None
    if width < 1 or height < 1:
        raise MediaFault("an image without pixels")
    return width, height


def _read_png_size(data: bytes) -> tuple[int, int]:
    length, kind, width, height = struct.unpack_from(">I4sII", data, 8)
    if kind != b"IHDR" or length != 13:
        raise MediaFault(BROKEN)
    at, end = 8, len(data)
    for _ in range(MOST_CHUNKS):
        if at + 8 > end or data.startswith(b"IEND", at + 4):
            return width, height
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise MediaFault(CROWDED)


def _read_jpeg_size(data: bytes) -> tuple[int, int]:
    size, scans, at = (0, 0), 0, 2
    for _ in range(MOST_SEGMENTS):
        if data[at] != 0xFF:
            raise MediaFault(BROKEN)
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker == 0xD9:
            return size
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            if length < 2:
                raise MediaFault(BROKEN)
            if marker in _FRAMES:
                height, width = struct.unpack_from(">HH", data, at + 5)
                size = width, height
            at += 2 + length
            if marker == 0xDA:
                scans += 1
                if scans > MOST_SCANS:
                    raise MediaFault(CROWDED)
                next_marker = _START.search(data, at)
                if next_marker is None:  # cut short, which the decoder says best
                    return size
                at = next_marker.start()
    raise MediaFault(CROWDED)


def _read_gif_size(data: bytes) -> tuple[int, int]:
    width, height, packed = struct.unpack_from("<HHB", data, 6)
    at, extended = 13 + (3 << ((packed & 7) + 1) if packed & 0x80 else 0), False
    for _ in range(MOST_BLOCKS):
        if extended:  # inside of a comment or another extension, which an empty block ends
            extended = data[at] > 0
            at += data[at] + 1
        elif data[at] == 0x21:
            extended = True
            at += 2
        elif data[at] == 0x2C:
            left, top, across, down = struct.unpack_from("<HHHH", data, at + 1)
            return max(width, left + across), max(height, top + down)
        else:
            raise MediaFault(BROKEN)
    raise MediaFault(CROWDED)


def _read_webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        if len(data) < 30:
            raise MediaFault(BROKEN)
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise MediaFault(BROKEN)


def _read_bmp_size(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height, compression = struct.unpack_from("<ii4xI", data, 18)
    if compression not in _UNCOMPRESSED:
        raise MediaFault("a compressed BMP; send it uncompressed, or as PNG")
    return width, abs(height)


_READERS: tuple[tuple[bytes, int, Callable[[bytes], tuple[int, int]]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, _read_png_size),
    (b"\xff\xd8\xff", 0, _read_jpeg_size),
    (b"GIF87a", 0, _read_gif_size),
    (b"GIF89a", 0, _read_gif_size),
    (b"WEBP", 8, _read_webp_size),
    (b"BM", 0, _read_bmp_size),
)
"""What a format begins with, at which byte, and who reads its size."""
