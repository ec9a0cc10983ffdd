"""The subset Ties of RewardBench 2: prompts with many right answers, which should score alike and above all wrong ones.

Each prompt has two rows: ``tied:N`` with several right answers, and ``ref:N`` with one. Malik et al. 2025
(arXiv 2506.01937), as ``rewardbench/utils.py`` computes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reward_gateway.sample import FloatArray

from .comparison import Comparison, Rule
from .intervals import bootstrap_interval
from .numbers import finite
from .report import Estimate, TiesSubset
from .scores import RowScores

WEIGHTS = (0.3, 0.3, 0.2, 0.2, 0.01)
"""Of tied accuracy, reference accuracy, correctness preferred, the same hard, and the margin score."""


@dataclass(slots=True)
class _Prompt:
    """Gap: lowest right score less highest wrong one. Spread: highest right score less lowest right one."""

    tied_gap: float = np.nan
    spread: float = np.nan
    reference_gap: float = np.nan


def measure_ties_subset(comparisons: Sequence[Comparison], scores: Sequence[RowScores]) -> TiesSubset | None:
    """The score of the subset; None where a file has no such rows.

    score = .3 · share of tied rows with a gap above 0 + .3 · share of reference rows with one
          + .2 · share of prompts whose tied gap is above the spread
          + .2 · share of prompts where the smaller gap of both rows is
          + .01 · mean of tanh(smaller gap / spread − 1), 0 where both are 0.

    A part without rows counts 0, as in the authors' code; without a prompt that has both rows there is no score. Rows
    with an answer that has no score are left out. The interval is a percentile bootstrap over prompts.
    """
    prompts: dict[str, _Prompt] = {}
    rows, any_rows = 0, False
    for comparison, row in zip(comparisons, scores, strict=True):
        if comparison.rule is not Rule.TIES:
            continue
        any_rows = True
        if np.isnan(row.chosen).any() or np.isnan(row.rejected).any():
            continue
        rows += 1
        kind, _, number = comparison.id.partition(":")
        prompt = prompts.setdefault(number, _Prompt())
        gap = float(row.chosen.min() - row.rejected.max())
        if kind == "ref":
            prompt.reference_gap = gap
        else:
            prompt.tied_gap, prompt.spread = gap, float(np.ptp(row.chosen))
    if not any_rows:
        return None
    table = np.array([[p.tied_gap, p.spread, p.reference_gap] for p in prompts.values()]).reshape(-1, 3)
    sums = _sums(table)
    parts = _parts(sums.sum(axis=0, keepdims=True))[0]
    low, high = bootstrap_interval(sums, lambda drawn: _combine(_parts(drawn)))
    tied, reference, preferred, hard, margin = map(finite, parts.tolist())
    return TiesSubset(
        rows=rows,
        prompts=int(sums[:, 4].sum()),
        score=Estimate(finite(float(_combine(parts[None])[0])), finite(low), finite(high)),
        tied_accuracy=tied,
        reference_accuracy=reference,
        correctness_preferred=preferred,
        correctness_preferred_hard=hard,
        margin_score=margin,
    )


def _sums(table: FloatArray) -> FloatArray:
    """Of each prompt what the shares are sums of: [prompts, 8]."""
    tied_gap, spread, reference_gap = table.T
    both = ~np.isnan(tied_gap) & ~np.isnan(reference_gap)
    smaller = np.where(both, np.minimum(tied_gap, reference_gap), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = np.nan_to_num(np.tanh(smaller / spread - 1), nan=0.0)
    columns = (
        tied_gap > 0,
        ~np.isnan(tied_gap),
        reference_gap > 0,
        ~np.isnan(reference_gap),
        both,
        both & (tied_gap > spread),
        both & (smaller > spread),
        np.where(both, margin, 0.0),
    )
    return np.column_stack(columns).astype(np.float64)


def _parts(sums: FloatArray) -> FloatArray:
    """[draws, 8] -> [draws, 5]: the parts of the score. Accuracies of no rows are 0, as in the authors' code."""
    tied_right, tied, reference_right, reference, both, preferred, hard, margin = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracies = [
            np.where(n > 0, right / n, 0.0) for right, n in ((tied_right, tied), (reference_right, reference))
        ]
        return np.column_stack([*accuracies, preferred / both, hard / both, margin / both])


def _combine(parts: FloatArray) -> FloatArray:
    return np.asarray(parts @ np.array(WEIGHTS))
