"""Images: known formats, bounded bytes, bounded pixels before anything is decoded."""

import base64
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image
from reward_gateway.sample import Invalid, Media
from reward_gateway.traffic.media import MediaLimits, from_bytes, from_text

LIMITS = MediaLimits(max_bytes=10_000, max_pixels=10_000, urls=False)


def png(width: int = 4, height: int = 4, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), (10, 20, 30)).save(buffer, kind)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of 70 bytes that says it has any number of pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_images_of_known_formats_pass_as_they_are(kind: str) -> None:
    assert from_text(b64(png(kind=kind)), "images[0]", LIMITS) == Media(data=png(kind=kind))


def test_a_data_url_is_base64_with_a_hat() -> None:
    assert from_text("data:image/png;base64," + b64(png()), "images[0]", LIMITS) == Media(data=png())


def test_line_breaks_in_base64_are_forgiven() -> None:
    assert from_text(base64.encodebytes(png(60, 60)).decode(), "images[0]", LIMITS) == Media(data=png(60, 60))


@pytest.mark.parametrize(
    "text", ["", "not base64!", "AAA", "AAAA", b64(b"plain text"), "data:image/png,AAAA", "data:", b64(png())[:-3], "é"]
)
def test_what_is_no_image_is_invalid_media(text: str) -> None:
    found = from_text(text, "images[2]", LIMITS)
    assert isinstance(found, Invalid)
    assert (found.code, found.param) == ("invalid_media", "images[2]")


def test_the_limit_of_bytes_passes_and_one_more_does_not() -> None:
    data = png()
    padded = data + bytes(10_000 - len(data))
    assert isinstance(from_text(b64(padded), "images[0]", LIMITS), Media)
    found = from_text(b64(padded + b"\0"), "images[0]", LIMITS)
    assert isinstance(found, Invalid)
    assert found.code == "too_large"


def test_the_limit_of_pixels_passes_and_one_row_more_does_not() -> None:
    assert isinstance(from_bytes(png(100, 100), "images[0]", LIMITS), Media)
    found = from_bytes(png(100, 101), "images[0]", LIMITS)
    assert isinstance(found, Invalid)
    assert found.code == "too_large"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("side", [8_000, 12_000, 60_000])
def test_a_pixel_bomb_is_told_by_its_header(side: int) -> None:
    found = from_bytes(bomb(side, side), "images[0]", MediaLimits(10_000, 40_000_000, False))
    assert isinstance(found, Invalid)
    assert found.code == "too_large"


@pytest.mark.parametrize("url", ["https://example.org/a.png", "http://127.0.0.1/a.png"])
def test_addresses_pass_only_where_the_operator_lets_them(url: str) -> None:
    refused = from_text(url, "images[0]", LIMITS)
    assert isinstance(refused, Invalid)
    assert refused.code == "invalid_media"
    assert url not in refused.message
    assert from_text(url, "images[0]", MediaLimits(10, 10, True)) == Media(url=url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.png", "gopher://x"])
def test_other_schemes_are_no_addresses(url: str) -> None:
    assert isinstance(from_text(url, "images[0]", MediaLimits(10_000, 10_000, True)), Invalid)
