"""Runs rows in batches by token budget, smaller ones where memory ends."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.budget import batch_by_tokens

log = logging.getLogger("reward_models")

Outcome = NDArray[np.float32] | str
"""A row's numbers, or its error as ``code: sentence``."""


@dataclass(frozen=True, slots=True)
class TokenIds:
    """A row: token ids, and token types of the same length."""

    ids: list[int]
    types: list[int]


class OutOfMemory(Exception):
    """A batch did not fit into the device's memory; a smaller one may."""


Run = Callable[[Sequence[TokenIds]], Sequence[NDArray[np.float32]]]
"""Runs one batch. Raises OutOfMemory."""


class Batches:
    """Splits rows into batches of similar length.

    Args:
        run: runs one batch.
        budget: padded tokens of the largest batch. It is halved, for good, when one does not fit.
    """

    def __init__(self, run: Run, budget: int) -> None:
        self._run = run
        self.budget = budget

    def score_rows(self, rows: Sequence[TokenIds]) -> list[Outcome]:
        """Each row's numbers; a row that does not fit alone is ``overloaded``, and no number."""
        outcomes: dict[int, Outcome] = {}
        left = list(range(len(rows)))
        while left:
            lengths = [len(rows[row].ids) for row in left]
            batch = [left[at] for at in batch_by_tokens(lengths, self.budget, self.budget)[0]]
            try:
                numbers = self._run([rows[row] for row in batch])
            except OutOfMemory:
                longest = len(rows[batch[-1]].ids)
                if len(batch) == 1:
                    outcomes[batch[0]] = (
                        f"overloaded: No memory was left for a text of {longest} tokens; try again later."
                    )
                else:
                    self.budget = longest * len(batch) // 2
                    log.warning("%d texts did not fit into memory; batches have %d tokens now", len(batch), self.budget)
            else:
                outcomes.update(zip(batch, numbers, strict=True))
            left = [row for row in left if row not in outcomes]
        return [outcomes[row] for row in range(len(rows))]
