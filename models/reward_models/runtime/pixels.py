"""Images to pixels as by a checkpoint's image processor: resize, centre crop, scale, normalise.

The steps and their rounding are those of the processors of ``transformers`` that work on PIL images.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reward_models.runtime.images import MAX_PIXELS, ImageError


class PixelReader:
    """RGB images to [3, height, width] float32, by a card's ``settings``.

    Args:
        settings: ``resize`` (the shorter side; or [height, width]; or null), ``resample`` (PIL's number of the
            filter), ``crop`` ([height, width] or null), ``crop_rounded`` (true: as torchvision crops), ``mean`` and
            ``std`` of each channel, of values in [0, 1].
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._resize: int | list[int] | None = settings["resize"]
        self._resample = Image.Resampling(settings["resample"])
        self._crop: list[int] | None = settings["crop"]
        self._offset = rounded_offset if settings.get("crop_rounded") else crop_offset
        self._mean = np.array(settings["mean"], np.float32)[:, None, None]
        self._std = np.array(settings["std"], np.float32)[:, None, None]

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """The pixels. Raises ImageError for an image so long and narrow that it would not fit into memory, scaled."""
        if self._resize is not None:
            width, height = self._target_size(image.size)
            if width * height > MAX_PIXELS:
                raise ImageError(f"too_large: An image has over {MAX_PIXELS} pixels with its shorter side scaled.")
            image = image.resize((width, height), self._resample)
        if self._crop is not None:
            height, width = self._crop
            # PIL fills pixels outside the image with black.
            left, top = self._offset(image.width - width), self._offset(image.height - height)
            image = image.crop((left, top, left + width, top + height))
        values = np.asarray(image, np.float32).transpose(2, 0, 1) * np.float32(1 / 255)
        return np.asarray((values - self._mean) / self._std, np.float32)

    def _target_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height after the resize."""
        if isinstance(self._resize, list):
            return self._resize[1], self._resize[0]
        shorter, longer = sorted(size)
        assert isinstance(self._resize, int)
        scaled = int(self._resize * longer / shorter)
        return (self._resize, scaled) if size[0] <= size[1] else (scaled, self._resize)


def crop_offset(rest: int) -> int:
    """Offset of a centre crop; negative if the image is smaller than the crop."""
    return rest // 2


def rounded_offset(rest: int) -> int:
    """The same as torchvision has it: half of an odd rest becomes an even number."""
    return round(rest / 2)
