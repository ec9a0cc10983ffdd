"""The tensor contract as plain values: columns of rows in, one :class:`Answer` out.

Every model of the repository speaks it, so that adding a model is adding a folder. Nothing here knows Triton:
:mod:`reward_models.runtime.triton` carries these values over its tensors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, Sequence[bytes]]
"""Input tensor name -> one value per row. A tensor that no request gave is missing."""


@dataclass(slots=True)
class Answer:
    """What a model says of n rows.

    Attributes:
        scores: [n, K] float32; NaN in the rows that ``errors`` explains.
        flags: [n] uint32, a mask of bits that the card names, lowest first.
        errors: row -> why it has no score, as ``code: sentence``; the code is ``invalid_field``, ``invalid_media``,
            ``missing_field``, ``too_large`` or ``model_error``, and the sentence carries none of the row's text.
        vectors: for models whose configuration has an output ``vector``: numbers of each row, as many as it has parts
            (tokens, steps), none in the rows of ``errors``; None for all other models.
    """

    scores: NDArray[np.float32]
    flags: NDArray[np.uint32]
    errors: dict[int, str]
    vectors: list[NDArray[np.float32]] | None = None

    @classmethod
    def empty(cls, rows: int, dimensions: int) -> "Answer":
        """An answer in which no row has a score yet."""
        return cls(np.full((rows, dimensions), np.nan, np.float32), np.zeros(rows, np.uint32), {})

    def slice_rows(self, start: int, stop: int) -> "Answer":
        """The rows from ``start`` to ``stop``: one request's share of a batch."""
        errors = {row - start: why for row, why in self.errors.items() if start <= row < stop}
        vectors = None if self.vectors is None else self.vectors[start:stop]
        return Answer(self.scores[start:stop], self.flags[start:stop], errors, vectors)


class Scorer(Protocol):
    """A model: equal rows get equal scores (to 1e-5) whatever stands beside them."""

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows. A row that cannot be scored is an error of that row; raises only where no row can be."""


def decode_texts(columns: Columns, name: str, rows: int) -> list[str]:
    """A column as texts, empty where no request gave it; bytes that are not UTF-8 become U+FFFD."""
    return [value.decode("utf-8", "replace") for value in columns[name]] if name in columns else [""] * rows
