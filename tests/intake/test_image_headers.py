"""The size of an image is read from its structure, the same as a decoder reads it; crowds of pieces are refused."""

import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reward_gateway.intake.image_headers import FORMATS, MOST_BLOCKS, MOST_CHUNKS, MOST_SCANS, MOST_SEGMENTS, size_of
from reward_gateway.intake.media_faults import MediaFault

WAYS: dict[str, list[dict[str, Any]]] = {
    "PNG": [{}, {"interlace": 1}],
    "JPEG": [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}],
    "WEBP": [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}],
    "GIF": [{}, {"comment": b"made by hand"}],
    "BMP": [{}],
}


def encoded(size: tuple[int, int], kind: str, mode: str = "RGB", **how: Any) -> bytes:
    buffer = BytesIO()
    Image.new(mode, size, 1).save(buffer, kind, **how)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 600), st.integers(1, 600)),
    way=st.sampled_from([(kind, how) for kind in FORMATS for how in WAYS[kind]]),
    mode=st.sampled_from(["RGB", "L"]),
)
def test_the_size_is_what_a_decoder_says(size: tuple[int, int], way: tuple[str, dict[str, Any]], mode: str) -> None:
    kind, how = way
    assert size_of(encoded(size, kind, mode, **how)) == size


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_size_of_an_animation_is_that_of_its_canvas(kind: str) -> None:
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue")]
    buffer = BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    assert size_of(buffer.getvalue()) == (30, 20)


def test_a_bitmap_may_stand_on_its_head_and_be_of_the_oldest_kind() -> None:
    upright = encoded((30, 20), "BMP")
    assert size_of(upright[:22] + struct.pack("<i", -20) + upright[26:]) == (30, 20)
    assert size_of(b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 30, 20, 1, 24)) == (30, 20)


def refused(data: bytes) -> str:
    with pytest.raises(MediaFault) as found:
        size_of(data)
    assert found.value.code == "invalid_media"
    return found.value.sentence


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(FORMATS), cut=st.integers(0, 60), junk=st.binary(max_size=60))
def test_whatever_follows_a_beginning_there_is_a_size_or_a_fault(kind: str, cut: int, junk: bytes) -> None:
    try:
        width, height = size_of(encoded((5, 7), kind)[:cut] + junk)
    except MediaFault:
        return
    assert min(width, height) >= 1


def test_the_pieces_of_a_file_are_counted_and_one_too_many_is_refused() -> None:
    png, jpeg, gif = (encoded((4, 4), kind) for kind in ("PNG", "JPEG", "GIF"))
    own = png.count(b"IHDR") + png.count(b"IDAT")
    text, comment = chunk(b"tEXt", b"a\0b"), b"\xff\xfe\0\2"
    assert size_of(png[:33] + text * (MOST_CHUNKS - own - 1) + png[33:]) == (4, 4)
    assert "pieces" in refused(png[:33] + text * (MOST_CHUNKS - own) + png[33:])
    assert "pieces" in refused(jpeg[:2] + comment * MOST_SEGMENTS + jpeg[2:])
    assert "pieces" in refused(jpeg[:2] + b"\xff" * MOST_SEGMENTS + jpeg[2:])
    at = gif.index(b",", 13)
    assert size_of(gif[:at] + b"!\xfe" + b"\x01a" * (MOST_BLOCKS - 3) + b"\0" + gif[at:]) == (4, 4)
    assert "pieces" in refused(gif[:at] + b"!\xfe" + b"\x01a" * (MOST_BLOCKS - 2) + b"\0" + gif[at:])
    assert "pieces" in refused(gif[:at] + b"!\xfe\0" * MOST_BLOCKS + gif[at:])


def test_scans_are_counted_wherever_they_hide() -> None:
    grey = encoded((64, 64), "JPEG", "L", progressive=True)
    last, own = grey.rfind(b"\xff\xda"), grey.count(b"\xff\xda")
    again = grey[last:-2]
    assert size_of(grey[:-2] + again * (MOST_SCANS - own) + grey[-2:]) == (64, 64)
    assert "pieces" in refused(grey[:-2] + again * (MOST_SCANS - own + 1) + grey[-2:])
    # An end inside of a comment is no end, and a scan inside of one no scan.
    hidden = b"\xff\xfe\0\6\xff\xd9\xff\xda"
    assert "pieces" in refused(grey[:-2] + (hidden + again) * MOST_SCANS + grey[-2:])
    assert size_of(grey[:2] + b"\xff\xfe\1\2" + b"\xff\xda" * 128 + grey[2:]) == (64, 64)


def test_runs_in_a_bitmap_are_refused_with_what_to_do() -> None:
    plain = encoded((4, 4), "BMP")
    assert "as PNG" in refused(plain[:30] + struct.pack("<I", 1) + plain[34:])
