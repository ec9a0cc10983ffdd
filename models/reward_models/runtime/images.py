"""Encoded images to pixels: upright, opaque, eight bits, the first frame, and nothing over the limits.

What cannot be decoded is an :class:`ImageError`, whose message says why in words that carry none of the file.
"""

import io
import warnings

import msgpack
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384
BACKGROUND = (255, 255, 255)
"""What shows through a transparent pixel."""


class ImageError(ValueError):
    """An image that cannot be read, as ``code: sentence``."""


def unpack(value: bytes) -> list[bytes]:
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


def decode(data: bytes, least_side: int | None = None) -> Image.Image:
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
                return opaque(ImageOps.exif_transpose(image))
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"too_large: An image has more than {MAX_PIXELS} pixels.") from None
    except UnidentifiedImageError:
        raise ImageError(f"invalid_media: An image is none of {', '.join(FORMATS)}.") from None
    except Exception:  # a hostile file can make a decoder fail with anything
        raise ImageError("invalid_media: An image is broken or cut short.") from None


def opaque(image: Image.Image) -> Image.Image:
    """Any mode as RGB: alpha over white, 16 bits and floats by their range."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        under = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        return Image.alpha_composite(under, image).convert("RGB")
    return image.convert("RGB")


def eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey values of 16 bits, or floats from 0 to 1, as eight bits."""
    whole = np.nan_to_num(values.astype(np.float64))
    top = 65535.0 if whole.max(initial=0.0) > 255 else 255.0 if whole.max(initial=0.0) > 1 else 1.0
    if values.dtype == np.uint16:
        top = 65535.0
    return np.asarray(np.clip(whole / top * 255.0 + 0.5, 0, 255), np.uint8)
