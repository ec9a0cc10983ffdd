"""Preference strength (Secrets of RLHF II): which labels an ensemble of models doubts, and the losses for them."""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..members import column, entry
from ..numerics import softplus
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation
from ..transform.running_scale import SOURCE


class Params(OperationParams):
    flip: float = Field(0.2, ge=0, le=1, description="Share of weakest pairs whose label is likely wrong.")
    ambiguous: float = Field(0.4, ge=0, le=1, description="Share up to which the next ones are ambiguous.")
    alpha: float = Field(0.1, ge=0, le=1, description="Label smoothing (our default).")


class Pair(OperationItem):
    gaps: list[float] = Field(
        description="r(chosen) − r(rejected) under each reward model, on one scale; at least one."
    )
    margin: float | None = Field(
        None, description="Δr under the model in training. If omitted: the pair has no losses."
    )


class Item(OperationItem):
    pairs: list[Pair] = Field(
        description="All pairs of the data set, since the cut-offs are shares of it; at least one."
    )


def smoothed_loss(margin: FloatArray, alpha: float) -> FloatArray:
    """−[(1 − α) log σ(Δr) + α log σ(−Δr)]."""
    return np.asarray((1 - alpha) * softplus(-margin) + alpha * softplus(margin))


def margin_loss(margin: FloatArray, strength: FloatArray) -> FloatArray:
    """−log σ(Δr − μ̂): the margin adapts to how strong the preference is."""
    return softplus(-(margin - strength))


@operation(
    "audit",
    "preference_strength",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    grouped=True,
    cost=Cost(row=60.0, unit=0.5, square=0.001),
)
def preference_strength(columns: Columns, params: Params) -> Outcome:
    """Strength of every preference pair of a data set, from the score gaps of several reward models.

    d_m = r_m(chosen) − r_m(rejected); strength μ̂ = mean d_m, σ̂ = population std. Pairs sorted by μ̂: the weakest 20 %
    are likely mislabelled (`flip`), the next up to 40 % ambiguous (`soft`: soft labels), the rest `normal`. Cut-offs
    are shares of the whole data set, so give all of it in one item; ties keep their order.

    `rewards` are μ̂. Details: `std` (null for one model: no confidence), `action`, and for pairs that give a `margin`
    Δr of the model in training `margin_loss` = −log σ(Δr − μ̂) and `smoothed_loss` = −[(1 − α) log σ(Δr) +
    α log σ(−Δr)], α = .1 (our default). The models must be on one scale. No pairs, or a pair without gaps: error.
    """
    data = columns.objects("pairs")

    def compute_row(i: int) -> Row:
        pairs = data[i]
        gaps = [np.asarray(entry(pair, "gaps", ()), dtype=np.float64) for pair in pairs]
        if not gaps or not all(len(own) for own in gaps):
            raise ItemError("there must be pairs, each with at least one gap", param="pairs")
        means = np.array([own.mean() for own in gaps])
        margins = column(pairs, "margin")
        return Row(
            rewards=means.tolist(),
            details={
                "std": [float(own.std()) if len(own) > 1 else None for own in gaps],
                "action": _choose_actions(means, params),
                "margin_loss": margin_loss(margins, means).tolist() if not np.isnan(margins).any() else None,
                "smoothed_loss": smoothed_loss(margins, params.alpha).tolist() if not np.isnan(margins).any() else None,
            },
        )

    return by_row(columns.size, compute_row)


def _choose_actions(means: FloatArray, params: Params) -> list[str]:
    order = np.argsort(means, kind="stable")
    flips = int(params.flip * len(means) + 1e-9)
    ambiguous = max(flips, int(params.ambiguous * len(means) + 1e-9))
    actions = np.full(len(means), "normal", dtype=object)
    actions[order[:flips]] = "flip"
    actions[order[flips:ambiguous]] = "soft"
    return [str(action) for action in actions]


class LossParams(OperationParams):
    kind: Literal["bradley_terry", "smoothed", "margin"] = Field(
        "bradley_terry", description="Which loss; see the text."
    )
    alpha: float = Field(0.1, ge=0, le=1, description="Label smoothing.")


class LossPair(OperationItem):
    chosen: float = Field(description="Reward of the chosen answer.")
    rejected: float = Field(description="Reward of the rejected answer.")
    strength: float | None = Field(None, description="Margin that the pair should have (loss margin); if omitted: 0.")
    mask: bool | float | None = Field(None, description="0: the pair counts nothing; if omitted: it counts.")


class LossItem(OperationItem):
    pairs: list[LossPair] = Field(description="Pairs of the batch, at least one.")


@operation(
    "audit",
    "preference_loss",
    item=LossItem,
    params=LossParams,
    source=SOURCE,
    fidelity="verified",
)
def preference_loss(columns: Columns, params: LossParams) -> Outcome:
    """Loss of a reward model on preference pairs, masked and averaged.

    With Δr = chosen − rejected: bradley_terry (default) −log σ(Δr); smoothed −[(1 − α) log σ(Δr) + α log σ(−Δr)],
    α = .1; margin −log σ(Δr − strength), strength 0 unless given. A pair with `mask` 0 counts nothing; a batch that is
    masked altogether has loss 0. No pairs: an item error. Details: `losses` per pair, `accuracy` over what counts.
    """
    data = columns.objects("pairs")

    def compute_row(i: int) -> Row:
        pairs: Any = data[i]
        if not len(pairs):
            raise ItemError("there are no pairs", param="pairs")
        delta = column(pairs, "chosen") - column(pairs, "rejected")
        mask = column(pairs, "mask", 1.0) > 0
        if params.kind == "smoothed":
            losses = smoothed_loss(delta, params.alpha)
        elif params.kind == "margin":
            losses = margin_loss(delta, column(pairs, "strength", 0.0))
        else:
            losses = softplus(-delta)
        counted = losses[mask]
        return Row(
            reward=float(counted.mean()) if counted.size else 0.0,
            details={
                "losses": losses.tolist(),
                "accuracy": float((delta[mask] > 0).mean()) if counted.size else None,
            },
        )

    return by_row(columns.size, compute_row)
