"""Arrays in numpy's file format, and the images in them. No more memory is allocated than the body holds."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from reward_gateway.errors import InvalidRequest


def read_npy(content: bytes, param: str) -> NDArray[Any]:
    """Read a ``.npy`` file. Raises InvalidRequest for another format, an object array or a wrong length."""
    file = BytesIO(content)
    try:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
        array = np.frombuffer(content, dtype, offset=file.tell())
        return array.reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, SyntaxError, OverflowError):
        raise InvalidRequest(f"{param}: expected a .npy array of numbers", param=param) from None


def encode_pictures(array: NDArray[Any], param: str) -> list[str]:
    """Encode [n, height, width, channels] uint8 as PNGs in base64. Raises InvalidRequest for another shape or dtype."""
    if array.ndim != 4 or array.dtype != np.uint8 or array.shape[3] not in (1, 3, 4) or 0 in array.shape[1:]:
        message = "expected uint8 [n, height, width, channels] with 1, 3 or 4 channels"
        raise InvalidRequest(f"{param}: {message}", param=param)
    return [_encode_png(picture) for picture in array]


def _encode_png(picture: NDArray[np.uint8]) -> str:
    file = BytesIO()
    plane = picture[..., 0] if picture.shape[-1] == 1 else picture
    Image.fromarray(plane).save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()
