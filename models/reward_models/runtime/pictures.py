"""The images of a batch, decoded and prepared for a network, and averages of their scores by row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.images import ImageError, read_images
from reward_models.runtime.rows import Columns

IMAGES_A_RUN = {"CPU": 4, "GPU": 64}
"""Images per run of a network, by device."""


@dataclass(slots=True)
class Pictures:
    """Images of the rows that can be scored.

    Attributes:
        rows: the rows that can be scored, in order.
        owners: index in ``rows`` of every image.
        pixels: the result of ``see`` for every image.
    """

    rows: list[int] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    pixels: list[NDArray[np.float32]] = field(default_factory=list)

    @classmethod
    def read(
        cls,
        columns: Columns,
        rows: int,
        see: Callable[[bytes], NDArray[np.float32]],
        prompts: Sequence[str] | None,
        errors: dict[int, str],
    ) -> "Pictures":
        """The images of a batch's rows.

        Args:
            see: decodes an image. May raise ImageError.
            prompts: one per row, none of which may be empty; None for a model that reads none.
            errors: receives the error of every row that is left out.
        """
        pictures = cls()
        for row, value in enumerate(columns.get("images", [b""] * rows)):
            try:
                if prompts is not None and not prompts[row].strip():
                    raise ImageError("missing_field: The prompt is empty.")
                seen = read_images(value, see)
            except ImageError as error:
                errors[row] = str(error)
                continue
            pictures.owners += [len(pictures.rows)] * len(seen)
            pictures.pixels += seen
            pictures.rows.append(row)
        return pictures

    def mean_by_row(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Numbers of images [n] averaged by row, in the order of ``rows``."""
        return np.bincount(self.owners, values) / np.bincount(self.owners)
