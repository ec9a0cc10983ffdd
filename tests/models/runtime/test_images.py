"""Encoded images are read upright and opaque, in eight bits; what cannot be read says why."""

import io

import msgpack
import numpy as np
import pytest
from PIL import Image
from reward_models.runtime.images import MAX_SIDE, ImageError, decode, unpack


def encoded(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


RED = Image.new("RGB", (8, 4), (255, 0, 0))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_every_lossless_format_gives_the_same_pixels(kind: str) -> None:
    found = decode(encoded(RED, kind))
    assert (found.mode, found.size, found.getpixel((0, 0))) == ("RGB", (8, 4), (255, 0, 0))


def test_a_photo_is_turned_as_its_camera_says() -> None:
    picture = Image.new("RGB", (8, 4))
    picture.paste((255, 255, 255), (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    found = decode(encoded(picture, exif=exif))
    assert found.size == (4, 8)
    assert found.getpixel((0, 0)) == (255, 255, 255)
    assert found.getpixel((0, 7)) == (0, 0, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_is_white(mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0)).convert(mode)
    assert decode(encoded(clear, "TIFF" if mode == "PA" else "PNG")).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bits_of_grey_become_eight() -> None:
    ramp = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    assert [decode(encoded(ramp)).getpixel((x, 0)) for x in range(4)] == [(v, v, v) for v in (0, 1, 128, 255)]


def test_grey_palette_and_print_colours_are_read() -> None:
    for mode, kind in (("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("CMYK", "JPEG")):
        assert decode(encoded(RED.convert(mode), kind)).mode == "RGB"


def test_of_an_animation_the_first_frame_is_read() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    assert decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        b"\x89PNG\r\n\x1a\n",
        encoded(RED.resize((90, 90)), "JPEG")[:500],
        b"<svg/>",
        b"GIF89a" + b"\xff" * 40,
    ],
)
def test_what_is_broken_or_no_image_says_so(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^invalid_media: "):
        decode(data)


def test_an_image_over_the_limits_is_refused_before_it_is_decoded() -> None:
    for size in ((MAX_SIDE + 1, 1), (9000, 9000)):
        with pytest.raises(ImageError, match=r"^too_large: "):
            decode(encoded(Image.new("1", size)))


def test_a_row_holds_a_list_of_images() -> None:
    assert unpack(msgpack.packb([b"a", b"b"])) == [b"a", b"b"]
    for value in (b"", msgpack.packb([])):
        with pytest.raises(ImageError, match=r"^missing_field: "):
            unpack(value)
    for value in (b"\xc1", msgpack.packb(["text"]), msgpack.packb({})):
        with pytest.raises(ImageError, match=r"^invalid_media: "):
            unpack(value)
