"""Who won each comparison: outcomes from 1 (a chosen response is above) to 0, NaN where a response has no score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from reward_gateway.sample import BoolArray, FloatArray, prompt_group

from .comparison import Comparison, Rule
from .scores import RowScores


class Ties(StrEnum):
    """What equal scores count: half a right comparison, or a wrong one."""

    HALF = "half"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The comparisons of a file, as one recipe decides them; the same places for every recipe.

    Attributes:
        rows: [n] the place of the row of each comparison.
        chosen, rejected: [n] which responses are compared; −1: all of them at once.
        values: [n] 1, 0, or what a tie counts; NaN where a response has no score.
        tied: [n] whether a chosen and a rejected response are equal on top.
        prompts: [n] what names the prompt.
    """

    rows: list[int]
    chosen: list[int]
    rejected: list[int]
    values: FloatArray
    tied: BoolArray
    prompts: list[str]

    @classmethod
    def of(cls, comparisons: Sequence[Comparison], scores: Sequence[RowScores], ties: Ties) -> Self:
        """Decide every comparison; rows of the rule TIES have none."""
        found = cls([], [], [], np.empty(0), np.empty(0, dtype=bool), [])
        values: list[float] = []
        tied: list[bool] = []
        for place, (comparison, row) in enumerate(zip(comparisons, scores, strict=True)):
            name = prompt_group(comparison.prompt)
            for i, j in _cells(comparison):
                value, equal = decide(
                    row.chosen if i < 0 else row.chosen[[i]], row.rejected if j < 0 else row.rejected[[j]], ties
                )
                values.append(value)
                tied.append(equal)
                found.rows.append(place)
                found.chosen.append(i)
                found.rejected.append(j)
                found.prompts.append(name)
        return cls(
            found.rows, found.chosen, found.rejected, np.array(values), np.array(tied, dtype=bool), found.prompts
        )


def _cells(comparison: Comparison) -> list[tuple[int, int]]:
    match comparison.rule:
        case Rule.PAIR:
            return [(0, 0)]
        case Rule.BEST:
            return [(-1, -1)]
        case Rule.MATRIX:
            return [(i, j) for i in range(len(comparison.chosen)) for j in range(len(comparison.rejected))]
        case Rule.TIES:
            return []


def decide(chosen: FloatArray, rejected: FloatArray, ties: Ties) -> tuple[float, bool]:
    """The outcome of one comparison, and whether it is a tie.

    The share of the responses with the highest score that are chosen ones: 1/2 for a pair with equal scores, 1/t where
    the one chosen response is among t on top. With ``Ties.WRONG`` every tie is 0.
    """
    if len(chosen) == len(rejected) == 1:  # most files have nothing else
        return _decide_pair(float(chosen[0]), float(rejected[0]), ties)
    if np.isnan(chosen).any() or np.isnan(rejected).any():
        return math.nan, False
    top = max(chosen.max(), rejected.max())
    right, wrong = int((chosen == top).sum()), int((rejected == top).sum())
    equal = right > 0 and wrong > 0
    return (0.0 if equal and ties is Ties.WRONG else right / (right + wrong)), equal


def _decide_pair(chosen: float, rejected: float, ties: Ties) -> tuple[float, bool]:
    if chosen == rejected:
        return (0.0 if ties is Ties.WRONG else 0.5), True
    return (math.nan if math.isnan(chosen - rejected) else float(chosen > rejected)), False
