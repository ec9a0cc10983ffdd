"""Decodes images: EXIF orientation applied, on a white background, 8 bits, first frame only, size limits enforced.

An image that cannot be decoded raises :class:`ImageError`; its message contains nothing of the file.
"""

import io
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import msgpack
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 40_000_000
BACKGROUND = (255, 255, 255)
"""Colour behind transparent pixels."""
GREY_STEPS = {"L;2": 85, "L;4": 17}
"""What a step of grey is in eight bits, by Pillow's name of the packed form."""

PngImagePlugin.MAX_TEXT_MEMORY = 8 << 20  # compressed text chunks, which are not read here, could exhaust memory

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
"""EXIF orientation -> the operation that makes the image upright."""


Seen = TypeVar("Seen")


class ImageError(ValueError):
    """An image cannot be read; the message is ``code: sentence``."""

    def at(self, field: str, place: int) -> "ImageError":
        """The same error, said of one image of a row: ``code: images[2]: sentence``."""
        code, _, sentence = str(self).partition(": ")
        return ImageError(f"{code}: {field}[{place}]: {sentence}")


def unpack_images(value: bytes) -> list[bytes]:
    """The encoded images of a row: a msgpack list of byte strings. Raises ImageError if there is none."""
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


def read_images(value: bytes, read: Callable[[bytes], Seen], field: str = "images") -> list[Seen]:
    """What ``read`` makes of every image of a row. Raises ImageError, with the place of the first one that it cannot
    read."""
    seen = []
    for place, data in enumerate(unpack_images(value)):
        try:
            seen.append(read(data))
        except ImageError as error:
            raise error.at(field, place) from None
    return seen


def decode_image(data: bytes, least_side: int | None = None) -> Image.Image:
    """An RGB image.

    Args:
        data: the encoded image, of one of FORMATS.
        least_side: a JPEG may be decoded at reduced size if both sides stay at least twice this long.

    Raises:
        ImageError: the format is not supported, or the image is broken, truncated or over the limits.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(f"too_large: An image has more than {MAX_PIXELS} pixels.")
                if least_side is not None:
                    image.draft("RGB", (2 * least_side, 2 * least_side))
                scale_clear_grey(image)
                image.load()
                return apply_orientation(convert_to_rgb(image), read_orientation(image))
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"too_large: An image has more than {MAX_PIXELS} pixels.") from None
    except UnidentifiedImageError:
        raise ImageError(f"invalid_media: An image is not one of {', '.join(FORMATS)}.") from None
    except Exception:  # a hostile file can make a decoder raise any exception
        raise ImageError("invalid_media: An image is broken or truncated.") from None


def scale_clear_grey(image: Image.Image) -> None:
    """Scale the one clear grey of a PNG of two or four bits, before it is loaded, as Pillow will scale the others."""
    tiles: Any = getattr(image, "tile", ())
    step = GREY_STEPS.get(tiles[0][3]) if image.format == "PNG" and len(tiles) == 1 else None
    if step is not None and isinstance(clear := image.info.get("transparency"), int):
        image.info["transparency"] = clear * step


def read_orientation(image: Image.Image) -> int:
    """EXIF orientation of a loaded image; 1 if it is missing or cannot be read."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # the pixels may be fine although the metadata is broken
        return 1
    return found if isinstance(found, int) else 1


def apply_orientation(image: Image.Image, orientation: int) -> Image.Image:
    """The image rotated and mirrored by its EXIF orientation; unknown values leave it unchanged."""
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def convert_to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as RGB: alpha over white, 16 bits scaled to 8."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        grey = eight_bits(values)
        if isinstance(clear := image.info.get("transparency"), int):  # the one grey of the sixteen bits that is clear
            grey[values == clear] = BACKGROUND[0]
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        under = Image.new("RGB", image.size, BACKGROUND)
        under.paste(image, mask=image.getchannel("A"))
        return under
    return image.convert("RGB")


def eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit grey values as 8 bits, rounded to nearest."""
    return np.asarray((values.astype(np.uint32) + 128) // 257, np.uint8)
