"""The scores of models that a component reads: one of their numbers, and what further calls add to them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reward_gateway.sample import FloatArray, Invalid, RawScores

from .component_plan import ComponentPlan

REPLACED = Invalid("model_unavailable", "the model was replaced during the request; try again")


def select_dimension(component: ComponentPlan, scores: RawScores, dimensions: Sequence[str]) -> RawScores:
    """The column of a component's dimension; with several columns a component must name one."""
    width = scores.values.shape[1]
    if component.dimension is None and width == 1:
        return scores
    if component.dimension in dimensions:
        k = dimensions.index(component.dimension)
        return replace(scores, values=scores.values[:, k : k + 1], dimension=component.dimension if k else None)
    known = ", ".join(dimensions) or "none that is known"
    message = f"the model has no dimension {component.dimension} (it has: {known})"
    if component.dimension is None:
        message = f"the model gives {width} numbers; the recipe has to name one as the component's `dimension`: {known}"
    invalid = {**dict.fromkeys(range(len(scores.values)), Invalid("model_error", message)), **scores.invalid}
    return replace(scores, values=np.full((len(scores.values), 1), np.nan), invalid=invalid)


@dataclass(frozen=True, slots=True)
class ModelScores:
    """What a model has said of some rows of a batch.

    Attributes:
        scores: NaN in the other rows.
        dimensions: names of its numbers; empty: not known.
        rows: those that it was asked about.
    """

    scores: RawScores
    dimensions: Sequence[str]
    rows: frozenset[int]

    def joined(self, more: "ModelScores") -> "ModelScores":
        """These and the scores of further rows. Scores of two versions are not mixed: the further rows have none."""
        first, second, rows = self.scores, more.scores, sorted(more.rows)
        known, said = _has_scores(self), _has_scores(more)
        if known and said and first.version != second.version:
            invalid = {**first.invalid, **dict.fromkeys(rows, REPLACED)}
            return ModelScores(replace(first, invalid=invalid), self.dimensions, self.rows | more.rows)
        kept, other = (first, second) if known or not said else (second, first)
        values, cached = kept.values.copy(), kept.cached.copy()
        if values.shape == other.values.shape:
            taken = rows if kept is first else sorted(self.rows)
            values[taken], cached[taken] = other.values[taken], other.cached[taken]
        joined = replace(
            kept,
            values=values,
            cached=cached,
            invalid={**first.invalid, **second.invalid},
            flags={**first.flags, **second.flags},
        )
        return ModelScores(joined, self.dimensions or more.dimensions, self.rows | more.rows)

    def within(self, rows: Sequence[int]) -> RawScores:
        """The scores of some of the rows alone."""
        scores, size = self.scores, len(self.scores.values)
        if len(rows) == size:
            return scores
        chosen = set(rows)
        values, cached = np.full_like(scores.values, np.nan), np.zeros(size, np.bool_)
        values[rows], cached[rows] = scores.values[rows], scores.cached[rows]
        return replace(
            scores,
            values=values,
            cached=cached,
            invalid={i: reason for i, reason in scores.invalid.items() if i in chosen},
            flags={i: flags for i, flags in scores.flags.items() if i in chosen},
        )


def _has_scores(said: ModelScores) -> bool:
    return len(said.scores.invalid) < len(said.rows)


def no_numbers(size: int) -> FloatArray:
    """[size] NaN."""
    return np.full(size, np.nan)
