"""Encoded images to pixels: upright as EXIF says, over white, eight bits, the first frame, nothing over the limits.

What cannot be decoded is an :class:`ImageError`, whose message says why in words that carry none of the file.
"""

import io
import warnings

import msgpack
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384
BACKGROUND = (255, 255, 255)
"""What shows through a transparent pixel."""

PngImagePlugin.MAX_TEXT_MEMORY = 8 << 20  # compressed texts, which nobody reads here, are a bomb of their own

ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientations, by what undoes them."""


class ImageError(ValueError):
    """An image that cannot be read, as ``code: sentence``."""


def unpack_images(value: bytes) -> list[bytes]:
    """The encoded images of a row: a msgpack list of byte strings. Raises ImageError for a row without any."""
    if not value:
        raise ImageError("missing_field: There is no image.")
    try:
        items = msgpack.unpackb(value)
    except Exception:
        raise ImageError("invalid_media: The images are not a list of byte strings.") from None
    if not isinstance(items, list) or not all(isinstance(item, bytes) for item in items):
        raise ImageError("invalid_media: The images are not a list of byte strings.")
    if not items:
        raise ImageError("missing_field: There is no image.")
    return items


def decode_image(data: bytes, least_side: int | None = None) -> Image.Image:
    """An RGB image.

    Args:
        data: the encoded image, of one of FORMATS.
        least_side: a JPEG may be decoded smaller than it is, as long as both sides stay at least twice this long.

    Raises:
        ImageError: it is of no known format, broken, cut short, or over the limits.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                    raise ImageError(f"too_large: An image has more than {MAX_PIXELS} pixels or {MAX_SIDE} a side.")
                if least_side is not None:
                    image.draft("RGB", (2 * least_side, 2 * least_side))
                image.load()
                return apply_orientation(convert_to_rgb(image), read_orientation(image))
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"too_large: An image has more than {MAX_PIXELS} pixels.") from None
    except UnidentifiedImageError:
        raise ImageError(f"invalid_media: An image is none of {', '.join(FORMATS)}.") from None
    except Exception:  # a hostile file can make a decoder fail with anything
        raise ImageError("invalid_media: An image is broken or cut short.") from None


def read_orientation(image: Image.Image) -> int:
    """EXIF's orientation of a loaded image; 1 where it has none that can be read."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # metadata that cannot be read says nothing against the pixels
        return 1
    return found if isinstance(found, int) else 1


def apply_orientation(image: Image.Image, orientation: int) -> Image.Image:
    """An image turned and mirrored as its orientation asks; unknown ones ask for nothing."""
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def convert_to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB: alpha over white, 16 bits by their upper eight."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        under = Image.new("RGB", image.size, BACKGROUND)
        under.paste(image, mask=image.getchannel("A"))
        return under
    return image.convert("RGB")


def eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey values of 16 bits as eight, to the nearest."""
    return np.asarray((values.astype(np.uint32) + 128) // 257, np.uint8)
