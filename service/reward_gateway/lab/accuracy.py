"""Accuracy with its interval: of all comparisons, of each subset, and of the styles of RM-Bench."""

from collections.abc import Hashable, Sequence

import numpy as np

from reward_gateway.sample import BoolArray, FloatArray

from .comparison import Comparison, Rule
from .intervals import share_interval
from .numbers import finite
from .outcomes import Outcomes
from .report import Accuracy, Matrix, Subset


def measure_accuracy(values: FloatArray, tied: BoolArray, prompts: Sequence[Hashable]) -> Accuracy:
    """Mean outcome of comparisons.

    Args:
        values: [n] outcomes; those that are NaN are left out.
        tied: [n].
        prompts: [n] what names the prompt of each.
    """
    known = ~np.isnan(values)
    names = [prompt for prompt, is_known in zip(prompts, known.tolist(), strict=True) if is_known]
    kept, different = values[known], len(set(names))
    low, high = share_interval(kept, names)
    return Accuracy(
        n=len(kept),
        value=float(kept.mean()) if len(kept) else None,
        low=finite(low),
        high=finite(high),
        ties=int(tied[known].sum()),
        prompts=different,
        interval="wilson" if different == len(kept) else "bootstrap",
    )


def of_places(outcomes: Outcomes, places: Sequence[int]) -> Accuracy:
    """Accuracy of some comparisons, by their places."""
    where = np.array(places, dtype=np.intp)
    return measure_accuracy(outcomes.values[where], outcomes.tied[where], [outcomes.prompts[k] for k in places])


def measure_subsets(comparisons: Sequence[Comparison], outcomes: Outcomes) -> list[Subset]:
    """Accuracy of each subset, in the order of their first row."""
    places: dict[str, list[int]] = {}
    for k, row in enumerate(outcomes.rows):
        if (name := comparisons[row].subset) is not None:
            places.setdefault(name, []).append(k)
    return [Subset(name, of_places(outcomes, where)) for name, where in places.items()]


def measure_matrix(comparisons: Sequence[Comparison], outcomes: Outcomes) -> Matrix | None:
    """Accuracy by style; None where no row has three responses of each kind.

    hard: above the diagonal, where the rejected response is of the richer style; normal: on it; easy: below it.
    """
    cells: dict[tuple[int, int], list[int]] = {}
    for k, row in enumerate(outcomes.rows):
        if comparisons[row].rule is Rule.MATRIX:
            cells.setdefault((outcomes.chosen[k], outcomes.rejected[k]), []).append(k)
    if not cells:
        return None
    side = {-1: [], 0: [], 1: []}  # type: dict[int, list[int]]
    for (i, j), places in cells.items():
        side[int(np.sign(j - i))] += places
    hard, normal, easy = (of_places(outcomes, sorted(side[sign])) for sign in (1, 0, -1))
    return Matrix([[of_places(outcomes, cells[i, j]) for j in range(3)] for i in range(3)], hard, normal, easy)
