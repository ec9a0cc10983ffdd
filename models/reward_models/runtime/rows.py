"""The tensor contract of all models as plain values: columns of rows in, one :class:`Answer` out.

Nothing here depends on Triton: :mod:`reward_models.runtime.triton` converts these values to and from its tensors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, Sequence[bytes]]
"""Input tensor name -> one value per row. A tensor that no request has is missing."""


@dataclass(slots=True)
class Answer:
    """A model's answer to n rows.

    Attributes:
        scores: [n, K] float32; NaN in the rows of ``errors``.
        flags: [n] uint32, bit masks; the card names the bits, lowest first.
        errors: row -> error as ``code: sentence``; the code is ``invalid_field``, ``invalid_media``,
            ``missing_field``, ``too_large``, ``model_error``, or of an engine ``overloaded`` or ``unavailable``, which
            are worth another try; the sentence contains none of the row's text.
        vectors: for models with an output ``vector``: per row one number per part (token, step), empty in the rows of
            ``errors``; None for all other models.
    """

    scores: NDArray[np.float32]
    flags: NDArray[np.uint32]
    errors: dict[int, str]
    vectors: list[NDArray[np.float32]] | None = None

    @classmethod
    def empty(cls, rows: int, dimensions: int) -> "Answer":
        """An answer without scores: all NaN."""
        return cls(np.full((rows, dimensions), np.nan, np.float32), np.zeros(rows, np.uint32), {})

    def slice_rows(self, start: int, stop: int) -> "Answer":
        """The rows from ``start`` to ``stop``: one request's share of a batch."""
        errors = {row - start: why for row, why in self.errors.items() if start <= row < stop}
        vectors = None if self.vectors is None else self.vectors[start:stop]
        return Answer(self.scores[start:stop], self.flags[start:stop], errors, vectors)


class Scorer(Protocol):
    """A model. Equal rows get equal scores (to 1e-5) in any batch."""

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows. A row that cannot be scored gets an error; raises only if no row can be scored."""


def decode_texts(columns: Columns, name: str, rows: int) -> list[str]:
    """A column as texts, empty if no request has it; bytes that are not UTF-8 become U+FFFD."""
    return [value.decode("utf-8", "replace") for value in columns[name]] if name in columns else [""] * rows
