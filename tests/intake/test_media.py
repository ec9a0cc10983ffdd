"""Images: known formats, bounded bytes, bounded pixels before anything is decoded."""

import base64
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reward_gateway.intake.media import MediaLimits, from_bytes, from_text
from reward_gateway.sample import Invalid, Media, media_digest
from reward_gateway.sample.base64_text import decode_base64

from tests.clock import little_work

LIMITS = MediaLimits(max_bytes=10_000, max_pixels=10_000, urls=False)


def png(width: int = 4, height: int = 4, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), (10, 20, 30)).save(buffer, kind)
    return buffer.getvalue()


def noise(width: int, kind: str) -> bytes:
    """An image whose base64 has every letter."""
    buffer = BytesIO()
    Image.effect_noise((width, 12), 90).convert("RGB").save(buffer, kind)
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


FORMS: list[Callable[[bytes], str]] = [
    lambda data: b64(data).rstrip("="),
    lambda data: base64.urlsafe_b64encode(data).decode(),
    lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    lambda data: quote(b64(data), safe=""),
    lambda data: quote(b64(data), safe="/"),
    lambda data: quote(base64.encodebytes(data).decode(), safe=""),
    lambda data: quote(base64.urlsafe_b64encode(data).decode()),
    lambda data: b64(data).replace("=", "%3d").replace("+", "%2b").replace("/", "%2f"),
]


@pytest.mark.parametrize("encode", FORMS)
@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_base64_as_it_really_comes_is_read(encode: Callable[[bytes], str], head: str, kind: str) -> None:
    for width in (20, 21, 22):  # every length of padding
        data = noise(width, kind)
        assert from_text(head + encode(data), "images[0]", LIMITS) == Media(data=data)


@given(st.binary(min_size=1, max_size=300), st.sampled_from(FORMS))
def test_every_form_of_base64_is_the_same_bytes(data: bytes, encode: Callable[[bytes], str]) -> None:
    assert decode_base64(encode(data)) == data


def test_the_limit_of_bytes_is_of_bytes_whatever_their_form() -> None:
    data = png() + b"\xfb" * (10_000 - len(png()))
    for encode in FORMS:
        assert isinstance(from_text(encode(data), "images[0]", LIMITS), Media)
        found = from_text(encode(data + b"\xfb" * 3), "images[0]", LIMITS)
        assert isinstance(found, Invalid)
        assert found.code == "too_large"


@pytest.mark.parametrize("letter", ["%2B", "%", "-", "\n", "+-"])
def test_hostile_base64_takes_little_work(letter: str) -> None:
    wide = MediaLimits(64 << 20, 10_000, False)
    with little_work(10.0):
        from_text(letter * (8 << 20), "images[0]", wide)


def test_line_breaks_in_base64_are_forgiven() -> None:
    assert from_text(base64.encodebytes(png(60, 60)).decode(), "images[0]", LIMITS) == Media(data=png(60, 60))


@pytest.mark.parametrize(
    "text", ["", "not base64!", "AAA", "AAAA", b64(b"plain text"), "data:image/png,AAAA", "data:", b64(png())[:-3], "é"]
)
def test_what_is_no_image_is_invalid_media(text: str) -> None:
    found = from_text(text, "images[2]", LIMITS)
    assert isinstance(found, Invalid)
    assert (found.code, found.param) == ("invalid_media", "images[2]")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("data:image/png;base64,", "empty"),
        ("+/" + b64(png())[:-8] + "-_-_" + b64(png())[-4:], "base64"),
        (b64(png())[:41], "base64"),
        ("%zz" + b64(png()), "base64"),
        (b64(png()) + "%3D%3D%3D", "base64"),
        (b64(png()) + "=", "base64"),
        (b64(png()).rstrip("=") + "\0", "base64"),
        (b64(png())[:40] + "==" + b64(png())[40:], "base64"),
        ("%" + b64(png()), "base64"),
        ("data:image/png;base64;charset=utf-8," + b64(png()), "must hold base64"),
        ("data:image/png;base64" + b64(png()), "must hold base64"),
        ("data:text/html;base64," + b64(png()), "of an image"),
        ("data:application/json;base64," + b64(png()), "of an image"),
        ("data:data:image/png;base64," + b64(png()), "of an image"),
        ("data:image/png;base64,data:image/png;base64," + b64(png()), "base64"),
        ("javascript:alert(1)", "base64"),
        ("blob:https://example.org/1", "base64"),
        (b64(b"<svg/>"), "known format (PNG, JPEG, WEBP, GIF, BMP)"),
        (b64(bomb(0, 4)), "without pixels"),
    ],
)
def test_every_fault_says_what_is_wrong_and_repeats_nothing(text: str, says: str) -> None:
    found = from_text(text, "images[2]", LIMITS)
    assert isinstance(found, Invalid)
    assert (found.code, found.param) == ("invalid_media", "images[2]")
    assert found.message.startswith("images[2]: ")
    assert says in found.message
    assert len(text) < 8 or text[-8:] not in found.message


@pytest.mark.parametrize(
    "head",
    ["data:;base64,", "DATA:IMAGE/PNG;BASE64,", "data:application/octet-stream;base64,", "data:image/jpeg;base64,"],
)
def test_what_an_image_is_called_does_not_matter_where_it_may_be_one(head: str) -> None:
    assert from_text(head + b64(png()), "images[0]", LIMITS) == Media(data=png())


def test_large_base64_is_the_same_in_slices() -> None:
    wide = MediaLimits(10 << 20, 10_000, False)
    for more in (0, 1, 2, 786_432 - len(png()), 786_433, 2_000_000):
        data = png() + bytes(more)
        assert from_text(b64(data), "images[0]", wide) == Media(data=data)
        folded = from_text(base64.encodebytes(data).decode(), "images[0]", wide)
        assert folded == Media(data=data)
    middle = b64(png() + bytes(786_432 - len(png()) - 1))
    assert middle.endswith("=")
    assert isinstance(from_text(middle + b64(bytes(3)), "images[0]", wide), Invalid)


def test_the_digest_is_of_the_bytes_alone() -> None:
    first, second = from_text(b64(png()), "images[0]", LIMITS), from_bytes(png(), "frames[1]", LIMITS)
    assert isinstance(first, Media)
    assert isinstance(second, Media)
    assert first.digest == second.digest == media_digest(png())


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


@pytest.mark.parametrize("url", ["https://example.org/a.png", "HTTPS://example.org/a.png", "http://127.0.0.1/a.png"])
def test_addresses_pass_only_where_the_operator_lets_them(url: str) -> None:
    refused = from_text(url, "images[0]", LIMITS)
    assert isinstance(refused, Invalid)
    assert refused.code == "invalid_media"
    assert url not in refused.message
    assert from_text(url, "images[0]", MediaLimits(10, 10, True)) == Media(url=url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.png", "gopher://x"])
def test_other_schemes_are_no_addresses(url: str) -> None:
    assert isinstance(from_text(url, "images[0]", MediaLimits(10_000, 10_000, True)), Invalid)
