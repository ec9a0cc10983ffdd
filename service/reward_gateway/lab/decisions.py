"""Single comparisons for people to read: where they stand in the file, and the scores that decided them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .comparison import Comparison
from .outcomes import Outcomes
from .report import Decision, Mistake
from .scores import RowScores

MISTAKES = 50
"""The most that a report lists."""


class Place(NamedTuple):
    """Where a comparison stands: its row from 1, and which responses are compared; None: all of them at once."""

    row: int
    id: str
    subset: str | None
    chosen: int | None
    rejected: int | None


def find_place(comparisons: Sequence[Comparison], outcomes: Outcomes, k: int) -> Place:
    """The place of the k-th comparison."""
    row = comparisons[outcomes.rows[k]]
    i, j = (None if which < 0 else which for which in (outcomes.chosen[k], outcomes.rejected[k]))
    return Place(row.row + 1, row.id, row.subset, i, j)


def read_decision(outcomes: Outcomes, scores: Sequence[RowScores], k: int) -> Decision:
    """How the k-th comparison was decided."""
    row, i, j = scores[outcomes.rows[k]], outcomes.chosen[k], outcomes.rejected[k]
    chosen, rejected = row.chosen.max() if i < 0 else row.chosen[i], row.rejected.max() if j < 0 else row.rejected[j]
    return Decision(float(outcomes.values[k]), float(chosen), float(rejected))


def list_mistakes(comparisons: Sequence[Comparison], outcomes: Outcomes, scores: Sequence[RowScores]) -> list[Mistake]:
    """The comparisons where a rejected response is above the chosen ones, those with the largest margin first."""
    wrong = np.flatnonzero((outcomes.values == 0) & ~outcomes.tied).tolist()
    decisions = [(k, read_decision(outcomes, scores, k)) for k in wrong]
    decisions.sort(key=lambda item: item[1].chosen - item[1].rejected)
    return [Mistake(*find_place(comparisons, outcomes, k), decision) for k, decision in decisions[:MISTAKES]]
