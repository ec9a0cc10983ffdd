"""What a service answered: the scores of all responses by one recipe, and of each row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reward_gateway.sample import FloatArray

from .comparison import Comparison


@dataclass(frozen=True, slots=True)
class RewardScores:
    """The scores of samples by one recipe, in the order of the samples.

    Attributes:
        models: component -> model and version.
        values: before the comparison with other samples, where the recipe makes one; NaN where there is none.
        errors: why there is none, ``code: message``; None where there is one.
    """

    reward: str
    recipe_version: str
    models: dict[str, str]
    values: Sequence[float]
    errors: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class RowScores:
    """The scores of the responses of one row; NaN where there is none."""

    chosen: FloatArray
    rejected: FloatArray


def split_scores(comparisons: Sequence[Comparison], values: Sequence[float]) -> list[RowScores]:
    """The scores of each row, of scores in the order of :meth:`.Comparison.samples`."""
    rows, start = [], 0
    scores = np.asarray(values, dtype=np.float64)
    for comparison in comparisons:
        middle = start + len(comparison.chosen)
        end = middle + len(comparison.rejected)
        rows.append(RowScores(scores[start:middle], scores[middle:end]))
        start = end
    return rows
