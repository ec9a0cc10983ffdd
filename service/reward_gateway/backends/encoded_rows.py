"""Samples encoded for a model server, row by row, so that rows of several requests can be joined into calls.

A backend's encoder turns the rows of a batch into :class:`Encoded`, once per request. The coalescer then cuts them
into :class:`Piece` knowing only their sizes in bytes.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from reward_gateway.backends.port import ModelAnswer
from reward_gateway.sample import Batch, Invalid


class EncodedRows(Protocol):
    """Rows of one request, ready to be sent, in their order."""

    @property
    def size(self) -> int:
        """How many rows there are."""

    def fit_rows(self, start: int, rows: int, room: int) -> int:
        """The end of a slice from ``start`` that exceeds neither ``rows`` nor ``room`` bytes."""

    def count_bytes(self, start: int, stop: int) -> int:
        """Bytes of the rows ``start:stop``."""


@dataclass(slots=True)
class SizedRows:
    """Implements :class:`EncodedRows` from the sizes of the rows.

    Attributes:
        ends: [n] cumulative bytes, including each row.
    """

    ends: list[int]

    @property
    def size(self) -> int:
        return len(self.ends)

    def fit_rows(self, start: int, rows: int, room: int) -> int:
        sent = self.ends[start - 1] if start else 0
        return bisect_right(self.ends, sent + room, start, min(start + rows, len(self.ends)))

    def count_bytes(self, start: int, stop: int) -> int:
        return self.ends[stop - 1] - (self.ends[start - 1] if start else 0)


Model = TypeVar("Model")
Rows = TypeVar("Rows", bound=EncodedRows)


class Piece(NamedTuple, Generic[Rows]):
    """Rows ``start:stop`` of a request."""

    rows: Rows
    start: int
    stop: int


class Encoded(NamedTuple, Generic[Rows]):
    """The rows of a batch that can be sent, and reasons for the others.

    Attributes:
        rows: [m] encoded.
        positions: [m] index of each among the [n] requested rows.
        invalid: position -> reason, for the n - m that cannot be sent.
    """

    rows: Rows
    positions: list[int]
    invalid: dict[int, Invalid]

    def spread_answer(self, answer: ModelAnswer) -> ModelAnswer:
        """Expand the answer for the m rows that were sent to all n requested rows."""
        if not self.invalid:
            return answer
        positions = self.positions
        values = np.full((len(positions) + len(self.invalid), answer.values.shape[1]), np.nan)
        values[positions] = answer.values
        return ModelAnswer(
            values,
            self.invalid | {positions[k]: reason for k, reason in answer.invalid.items()},
            {positions[k]: names for k, names in answer.flags.items()},
            {positions[k]: vector for k, vector in answer.vectors.items()},
            answer.calls,
            answer.version,
        )


EncodeRows = Callable[[Model, Batch, Sequence[int]], Encoded[Rows]]
"""A backend's encoder: encodes rows of a batch as a model reads them."""

TakesLong = Callable[[Model, Batch, Sequence[int]], bool]
"""Whether the event loop should not wait for rows to be encoded; they are in a thread, then."""
