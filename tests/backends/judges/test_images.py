"""Pictures as judges are sent them."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from reward_gateway.backends.judges import images
from reward_gateway.backends.judges.images import UnreadableImage, encode_image, encode_images


def encoded(kind: str, size: tuple[int, int] = (8, 4), mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, options.pop("color", 0)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("given", "mode"), [("GIF", "P"), ("BMP", "RGB"), ("WEBP", "RGB"), ("TIFF", "CMYK"), ("PNG", "RGBA")]
)
def test_other_formats_become_png(given: str, mode: str) -> None:
    told, data = encode_image(encoded(given, mode=mode), 64)
    assert (told, Image.open(io.BytesIO(data)).format) == ("png", "PNG")


def picture(mode: str = "RGB") -> Image.Image:
    """One whose colours change from edge to edge, as in a photograph."""
    x, y = np.meshgrid(np.arange(48), np.arange(32))
    return Image.fromarray(np.stack([5 * x, 7 * y, 3 * (x + y)], axis=2).astype(np.uint8)).convert(mode)


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P")]
)
def test_what_needs_no_change_keeps_its_pixels_and_profile_and_nothing_else(kind: str, mode: str) -> None:
    """What a camera or a caller wrote beside the pixels: the place, a comment, a text to be read by a model."""
    exif, notes, buffer = Image.Exif(), PngInfo(), io.BytesIO()
    exif[0x010E] = "secret description"
    notes.add_text("Comment", "secret text")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    beside = {"comment": b"secret comment", "xmp": b"secret", "quality": 70} if kind == "JPEG" else {"pnginfo": notes}
    picture(mode).save(buffer, kind, exif=exif, icc_profile=profile, **beside)
    given = buffer.getvalue()
    assert b"secret" in given
    told, data = encode_image(given + b"secret behind its end", 48)
    before, after = (Image.open(io.BytesIO(file)) for file in (given, data))
    assert told == kind.lower()
    assert b"secret" not in data
    assert dict(after.getexif()) == {}
    assert after.info.get("icc_profile") == profile
    lost = np.abs(np.asarray(before.convert("RGB"), np.int64) - np.asarray(after.convert("RGB"), np.int64))
    assert lost.max() <= (0 if kind == "PNG" else 3)
    assert len(data) <= 1.1 * len(given) or mode == "P"


def test_a_picture_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    kind, data = encode_image(encoded("JPEG", (8, 4), exif=exif), 64)
    turned = Image.open(io.BytesIO(data))
    assert (kind, turned.size, dict(turned.getexif())) == ("jpeg", (4, 8), {})


def test_greys_of_16_bits_are_scaled_and_cmyk_becomes_rgb() -> None:
    kind, data = encode_image(encoded("PNG", mode="I;16", color=0x4000), 64)
    grey = Image.open(io.BytesIO(data))
    assert (kind, grey.mode, grey.getpixel((0, 0))) == ("png", "L", 0x40)
    kind, data = encode_image(encoded("JPEG", mode="CMYK"), 64)
    assert (kind, Image.open(io.BytesIO(data)).mode) == ("jpeg", "RGB")


def test_a_picture_of_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MOST_PIXELS", 31)
    with pytest.raises(UnreadableImage, match="over 31 pixels"):
        encode_image(encoded("PNG"), 64)


def test_a_large_picture_keeps_its_proportions() -> None:
    for kind in ("JPEG", "PNG", "GIF"):
        assert Image.open(io.BytesIO(encode_image(encoded(kind, (64, 32)), 16)[1])).size == (16, 8)


@pytest.mark.parametrize("data", [b"", b"x", encoded("JPEG")[:60], b"GIF89a" + b"\xff" * 40])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableImage):
        encode_image(data, 64)


def test_only_pictures_by_their_bytes_are_touched() -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(encoded("GIF")).decode()
    other = {"type": "image_url", "image_url": {"url": "https://host/a.gif"}}
    parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}, other, {"type": "text", "text": "t"}]
    asked: list[dict[str, Any]] = [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]
    first, second = encode_images(asked, 64)
    assert first == asked[0]
    assert second["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert second["content"][0]["image_url"]["detail"] == "low"
    assert second["content"][1:] == parts[1:]
    with pytest.raises(UnreadableImage):
        encode_images([{"role": "user", "content": [{"image_url": {"url": "data:image/png;base64,?"}}]}], 64)
