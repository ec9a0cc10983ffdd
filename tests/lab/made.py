"""Comparisons and their scores, for the tests of the figures."""

from collections.abc import Sequence

import numpy as np
from reward_gateway.lab.comparison import Comparison, Rule
from reward_gateway.lab.scores import RowScores

Scores = Sequence[float]


def make(
    *rows: tuple[Scores, Scores],
    rule: Rule = Rule.PAIR,
    prompts: Sequence[str] | None = None,
    subsets: Sequence[str | None] | None = None,
    ids: Sequence[str] | None = None,
) -> tuple[list[Comparison], list[RowScores]]:
    """A comparison for each row of scores (chosen, rejected), with prompts of their own unless they are given."""
    comparisons = [
        Comparison(
            k,
            f"prompt {k}" if prompts is None else prompts[k],
            tuple(f"chosen {i}" for i in range(len(chosen))),
            tuple(f"rejected {i}" for i in range(len(rejected))),
            rule,
            None if subsets is None else subsets[k],
            "" if ids is None else ids[k],
        )
        for k, (chosen, rejected) in enumerate(rows)
    ]
    scores = [RowScores(np.array(chosen, dtype=float), np.array(rejected, dtype=float)) for chosen, rejected in rows]
    return comparisons, scores


def pairs(*scores: tuple[float, float]) -> tuple[list[Comparison], list[RowScores]]:
    """One pair per row: scores of the chosen and of the rejected response."""
    return make(*(([chosen], [rejected]) for chosen, rejected in scores))
