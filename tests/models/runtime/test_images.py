"""Encoded images are read upright and opaque, in eight bits; what cannot be read says why."""

import io
import struct
import zlib

import msgpack
import numpy as np
import pytest
from PIL import Image
from reward_models.runtime.images import (
    MAX_PIXELS,
    ORIENTATION,
    ImageError,
    apply_orientation,
    decode_image,
    read_images,
    unpack_images,
)


def encoded(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


RED = Image.new("RGB", (8, 4), (255, 0, 0))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP"])
def test_every_lossless_format_gives_the_same_pixels(kind: str) -> None:
    found = decode_image(encoded(RED, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert (found.mode, found.size, found.getpixel((0, 0))) == ("RGB", (8, 4), (255, 0, 0))


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_photo_stands_upright_whichever_way_the_camera_was_held(kind: str, orientation: int) -> None:
    quarters = np.zeros((16, 32, 3), np.uint8)
    quarters[:8, :16], quarters[:8, 16:], quarters[8:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    scene = Image.fromarray(quarters)
    undone = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, 1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    how = {"quality": 100} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    found = decode_image(encoded(apply_orientation(scene, undone), kind, exif=exif, **how))
    assert found.size == (32, 16)
    assert np.abs(np.asarray(found, int) - quarters)[2:-2:4, 2:-2:4].max() < 40


def test_metadata_that_cannot_be_read_leaves_the_image_as_it_is() -> None:
    assert decode_image(encoded(RED, "PNG", exif=b"II*\0\xff\xff\xff\xff")).size == (8, 4)


def test_a_photo_is_turned_as_its_camera_says() -> None:
    picture = Image.new("RGB", (8, 4))
    picture.paste((255, 255, 255), (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    found = decode_image(encoded(picture, exif=exif))
    assert found.size == (4, 8)
    assert found.getpixel((0, 0)) == (255, 255, 255)
    assert found.getpixel((0, 7)) == (0, 0, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0)).convert(mode)
    assert decode_image(encoded(clear)).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_colour_that_stands_for_nothing_is_white(kind: str, mode: str) -> None:
    black = Image.new(mode, (4, 4), 0)
    transparency = (0, 0, 0) if mode == "RGB" else 0
    if (kind, mode) == ("GIF", "RGB"):
        black, transparency = black.quantize(4), 0
    assert decode_image(encoded(black, kind, transparency=transparency)).getpixel((1, 1)) == (255, 255, 255)


def test_half_transparent_is_half_white() -> None:
    for kind, how in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        veil = Image.new("RGBA", (4, 4), (200, 0, 0, 128))
        found = np.asarray(decode_image(encoded(veil, kind, **how)), int)[1, 1]
        assert np.abs(found - (227, 127, 127)).max() <= 1


def test_sixteen_bits_of_grey_become_eight() -> None:
    ramp = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    assert [decode_image(encoded(ramp)).getpixel((x, 0)) for x in range(4)] == [(v, v, v) for v in (0, 1, 128, 255)]


@pytest.mark.parametrize(
    ("mode", "kind", "seen"),
    [
        ("L", "PNG", (76, 76, 76)),
        ("L", "JPEG", (76, 76, 76)),
        ("1", "PNG", (255, 255, 255)),
        ("P", "PNG", (255, 0, 0)),
        ("P", "GIF", (255, 0, 0)),
        ("P", "BMP", (255, 0, 0)),
        ("CMYK", "JPEG", (255, 0, 0)),
    ],
)
def test_grey_palette_and_print_colours_are_read(mode: str, kind: str, seen: tuple[int, int, int]) -> None:
    source = RED.convert(mode) if mode != "1" else Image.new("1", (8, 4), 1)
    found = np.asarray(decode_image(encoded(source, kind)), int)[2, 4]
    assert np.abs(found - seen).max() <= 3


def written(width: int, height: int, depth: int, colour: int, rows: bytes, clear: bytes = b"") -> bytes:
    """A PNG of rows of packed pixels, which Pillow does not write itself."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pieces = [(b"IHDR", header), (b"tRNS", clear), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in pieces
        if data or kind == b"IEND"
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_sixteen_bits_of_colour_become_eight() -> None:
    rows = b"".join(b"\0" + struct.pack(">6H", 65535, 0, 32896, 0, 257, 65535) for _ in range(2))
    found = decode_image(written(2, 2, 16, 2, rows))
    assert [found.getpixel((x, 1)) for x in (0, 1)] == [(255, 0, 128), (0, 1, 255)]


def test_of_an_animation_the_first_frame_is_read() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for kind, how in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})):
        moving = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **how)
        assert decode_image(moving).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        b"\x89PNG\r\n\x1a\n",
        encoded(RED.resize((90, 90)), "JPEG")[:500],
        b"<svg/>",
        b"GIF89a" + b"\xff" * 40,
        b"II*\0" + b"\0" * 40,
    ],
)
def test_what_is_broken_or_no_image_says_so(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^invalid_media: "):
        decode_image(data)


def test_an_image_over_the_limits_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageError, match=r"^too_large: "):
        decode_image(encoded(Image.new("1", (MAX_PIXELS // 4000 + 1, 4000))))


def test_a_side_may_be_as_long_as_the_pixels_allow() -> None:
    assert decode_image(encoded(Image.new("RGB", (20_000, 2), "red"))).getpixel((19_999, 1)) == (255, 0, 0)


@pytest.mark.parametrize("clear", [0, 65_535, 4_660])
def test_the_clear_grey_of_sixteen_bits_is_white(clear: int) -> None:
    picture = Image.fromarray(np.array([[clear, 4_661, 0x1200, 65_534]], np.uint16))

    def greys(data: bytes) -> list[int]:
        return [int(grey) for grey in np.asarray(decode_image(data))[0, :, 0]]

    assert greys(encoded(picture)) == [round(clear / 257), 18, 18, 255]
    assert greys(encoded(picture, transparency=clear)) == [255, 18, 18, 255]


@pytest.mark.parametrize(
    ("depth", "row", "clear", "seen"),
    [
        (8, [0, 51, 119, 255], 51, [0, 255, 119, 255]),
        (4, [0x03, 0x7F], 3, [0, 255, 119, 255]),
        (4, [0x03, 0x7F], 0, [255, 51, 119, 255]),
        (2, [0b00011011], 1, [0, 255, 170, 255]),
        (1, [0b01000000], 0, [255, 255, 255, 255]),
        (1, [0b01000000], 1, [0, 255, 0, 0]),
    ],
)
def test_the_clear_grey_of_fewer_bits_is_white(depth: int, row: list[int], clear: int, seen: list[int]) -> None:
    found = decode_image(written(4, 1, depth, 0, bytes([0, *row]), struct.pack(">H", clear)))
    assert np.asarray(found)[0, :, 0].tolist() == seen


def test_an_error_says_which_image_it_is_about() -> None:
    images = msgpack.packb([encoded(Image.new("RGB", (2, 2))), b"broken"])
    with pytest.raises(ImageError, match=r"^invalid_media: frames\[1\]: An image "):
        read_images(images, decode_image, "frames")


def test_a_row_holds_a_list_of_images() -> None:
    assert unpack_images(msgpack.packb([b"a", b"b"])) == [b"a", b"b"]
    for value in (b"", msgpack.packb([])):
        with pytest.raises(ImageError, match=r"^missing_field: "):
            unpack_images(value)
    for value in (b"\xc1", msgpack.packb(["text"]), msgpack.packb({})):
        with pytest.raises(ImageError, match=r"^invalid_media: "):
            unpack_images(value)
