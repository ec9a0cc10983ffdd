"""Two recipes beside each other: the difference of their accuracies, McNemar's test, Cohen's κ, and the flips."""

from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr

from .accuracy import measure_accuracy
from .comparison import Comparison
from .decisions import find_place, read_decision
from .intervals import bootstrap_interval, sum_by_prompt
from .kappa import cohens_kappa
from .numbers import finite
from .outcomes import Outcomes
from .report import Difference, Estimate, Flip, McNemar
from .scores import RowScores


def mcnemar_test(a_better: int, b_better: int) -> McNemar:
    """The exact test (McNemar 1947): of the comparisons on which one does better than the other, each was as likely to
    be the better one. Two-sided binomial: p = min(1, 2 · P(X ≤ the smaller count)), 1 where they never differ."""
    smaller = min(a_better, b_better)
    return McNemar(a_better, b_better, min(1.0, 2 * float(bdtr(smaller, a_better + b_better, 0.5))))


def compare_rewards(
    comparisons: Sequence[Comparison],
    outcomes: tuple[Outcomes, Outcomes],
    scores: tuple[Sequence[RowScores], Sequence[RowScores]],
) -> Difference:
    """A beside B on the comparisons that both could decide."""
    first, second = outcomes
    both = np.flatnonzero(~np.isnan(first.values) & ~np.isnan(second.values))
    a, b = first.values[both], second.values[both]
    prompts = [first.prompts[k] for k in both.tolist()]
    verdicts = [
        [_verdict(value, tied) for value, tied in zip(o.values[both], o.tied[both], strict=True)] for o in outcomes
    ]
    same = np.array([x == y for x, y in zip(*verdicts, strict=True)], dtype=np.float64)
    sums = sum_by_prompt(np.column_stack([a - b, np.ones(len(a))]), prompts)
    low, high = bootstrap_interval(sums, lambda drawn: np.asarray(drawn[:, 0] / drawn[:, 1]))
    kappa, around = cohens_kappa(*verdicts)
    return Difference(
        n=len(both),
        a=float(a.mean()) if len(a) else None,
        b=float(b.mean()) if len(b) else None,
        difference=Estimate(float((a - b).mean()) if len(a) else None, finite(low), finite(high)),
        mcnemar=mcnemar_test(int((a > b).sum()), int((a < b).sum())),
        agreement=measure_accuracy(same, np.zeros(len(same), dtype=bool), prompts),
        kappa=Estimate(finite(kappa), finite(around[0]), finite(around[1])),
        flips=_list_flips(
            comparisons, outcomes, scores, [k for k, equal in zip(both.tolist(), same, strict=True) if not equal]
        ),
    )


def _verdict(value: float, tied: bool) -> str:
    return "tie" if tied else "right" if value == 1 else "wrong"


def _list_flips(
    comparisons: Sequence[Comparison],
    outcomes: tuple[Outcomes, Outcomes],
    scores: tuple[Sequence[RowScores], Sequence[RowScores]],
    places: Sequence[int],
) -> list[Flip]:
    """Flips by how far the margins differ, each in standard deviations of its recipe's margins over the flips."""
    flips = [
        Flip(
            *find_place(comparisons, outcomes[0], k),
            *(read_decision(o, rows, k) for o, rows in zip(outcomes, scores, strict=True)),
        )
        for k in places
    ]
    margins = np.array([[side.chosen - side.rejected for side in (flip.a, flip.b)] for flip in flips]).reshape(-1, 2)
    scale = np.sqrt((margins**2).mean(axis=0)) if flips else np.ones(2)
    apart = np.abs(np.diff(margins / np.where(scale > 0, scale, 1.0), axis=1)).ravel()
    return [flips[k] for k in np.argsort(-apart, kind="stable").tolist()]
