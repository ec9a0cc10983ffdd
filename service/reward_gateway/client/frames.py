"""Pictures in arrays to eight bits: what is certain is converted, and anything else is an error that says what came.

A guess would send white, black or clipped pictures, for which a number comes back all the same.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-6
"""How far past 0 and 1 floats may lie by rounding alone."""

_WANTED = "expected uint8, floats in [0, 1], or whole numbers in 0 to 255"


def to_array(pictures: Any) -> NDArray[Any]:
    """An array of what a trainer holds: numpy, torch on any device and of any float type, lists."""
    if hasattr(pictures, "detach"):
        pictures = pictures.detach().cpu()
        if "bfloat16" in str(pictures.dtype):  # which numpy does not have
            pictures = pictures.float()
    return np.asarray(pictures)


def to_bytes(pictures: Any, name: str) -> NDArray[np.uint8]:
    """Pictures as uint8 of the same shape: bytes as they are, floats in [0, 1] times 255, rounded.

    Floats beyond 1 and other integers are converted if every value is a whole number in 0 to 255.

    Args:
        name: whose pictures they are, for the error.

    Raises:
        ValueError: values of another kind or range, such as NaN, or frames normalised by mean and deviation.
    """
    array = to_array(pictures)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: {_WANTED}; got {array.dtype}")
    if not array.size:
        return array.astype(np.uint8)
    low, high = float(array.min()), float(array.max())  # NaN, where there is one
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{name}: {_WANTED}; got {array.dtype} with NaN or infinite values")
    if array.dtype.kind == "f" and low >= -_ROUNDING and high <= 1.0 + _ROUNDING:
        return np.asarray((np.clip(array.astype(np.float64), 0.0, 1.0) * 255.0).round(), np.uint8)
    if low < 0 or high > 255:
        raise ValueError(f"{name}: {_WANTED}; got {array.dtype} from {low:g} to {high:g}: undo the normalisation")
    if array.dtype.kind == "f" and (array != np.round(array)).any():
        raise ValueError(f"{name}: {_WANTED}; got {array.dtype} from {low:g} to {high:g} that are no whole numbers")
    return array.astype(np.uint8)


def encode_picture(picture: NDArray[np.uint8], kind: str, **how: Any) -> bytes:
    """A picture [height, width] or [height, width, channels] (1, 3 or 4) in a format of Pillow's."""
    from PIL import Image

    buffer = BytesIO()
    plane = picture[..., 0] if picture.ndim == 3 and picture.shape[-1] == 1 else picture
    Image.fromarray(plane).save(buffer, format=kind, **how)
    return buffer.getvalue()
