"""Ensembles of reward models: what they say together, and how far they disagree."""

from typing import Literal

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome, invalid_field
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("BaseReward: A Strong Baseline for Multimodal Reward Model", "https://arxiv.org/abs/2509.16127")


class Params(OperationParams):
    how: Literal["mean", "median", "min", "max", "mean_minus_std", "mean_minus_variance"] = Field(
        "mean", description="How members become one. min is the worst case; mean_minus_… is penalised by disagreement."
    )
    k: float = Field(1.0, ge=0, description="Weight of the disagreement in mean_minus_std and mean_minus_variance.")


class Item(OperationItem):
    scores: dict[str, float] | list[float] = Field(
        description="The members' scores, on one scale, by name or as a list; at least one."
    )


@operation("combine", "ensemble", item=Item, params=Params, source=SOURCE, fidelity="verified", cost=CHEAP)
def ensemble(columns: Columns, params: Params) -> Outcome:
    """Ensemble of reward models: mean, median, worst case, or mean less disagreement.

    mean (default, as BaseReward), median, min, max, mean − k·std, mean − k·variance (k = 1), over the members'
    scores; std and variance are the population's (ddof 0). One member: its score, std 0. No members: error.

    min and mean − k·variance are the worst case (WCO) and the uncertainty weighting (UWO) of arXiv 2310.02743.

    Members must be on one scale: the one with the widest scale dominates a mean. Standardise each first
    (`transform/running_scale`) where they are not, which departs from the published plain mean.
    Details: `mean`, `std`, `members`.
    """
    scores = Ragged.of_column(columns, "scores")
    mean, std = scores.mean(), scores.std()
    match params.how:
        case "mean":
            reward = mean
        case "median":
            reward = scores.quantile(0.5)
        case "min":
            reward = scores.min()
        case "max":
            reward = scores.max()
        case "mean_minus_std":
            reward = mean - params.k * std
        case "mean_minus_variance":
            reward = mean - params.k * std**2
    reason = invalid_field("there are no scores to combine", "scores")
    return Outcome(
        reward=reward,
        details={"mean": mean.tolist(), "std": std.tolist(), "members": scores.counts.tolist()},
        invalid={int(row): reason for row in np.flatnonzero(scores.empty)},
    )
