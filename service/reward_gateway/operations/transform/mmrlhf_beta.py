"""MM-RLHF's dynamic reward scaling: the strength β of a preference pair from its reward margin."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import CHEAP
from ..group_rows import ROUNDING
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("MM-RLHF: The Next Step Forward in Multimodal LLM Alignment", "https://arxiv.org/abs/2502.10391")
RELEASED = Source("MM-RLHF, released code", "https://github.com/Kwai-YuanQi/MM-RLHF")


class Params(OperationParams):
    beta: float = Field(0.1, gt=0, description="β of a pair without margin.")
    w: float = Field(0.5, ge=0, description="How far β may grow, as a share.")
    k: float = Field(0.5, gt=0, description="How fast β grows with the margin.")


class Item(OperationItem):
    margin: float = Field(description="Reward of the chosen answer less that of the rejected one.")


@operation("transform", "mmrlhf_beta", item=Item, params=Params, source=SOURCE, fidelity="second-hand", cost=CHEAP)
def mmrlhf_beta(columns: Columns, params: Params) -> Outcome:
    """Strength of a preference pair from the margin of its rewards.

    β(δ) = β · (1 + w · (1 − e^(−kδ))), limited to [β, (1 + w)·β]; β = .1, w = .5, k = .5. A negative margin (the
    reward model disagrees with the label) gives β.
    """
    growth = -np.expm1(-params.k * np.maximum(columns.floats("margin"), 0.0))
    return Outcome(reward=np.clip(params.beta * (1 + params.w * growth), params.beta, (1 + params.w) * params.beta))


class BatchParams(OperationParams):
    beta: float = Field(0.1, gt=0, description="β of a batch whose sample has the mean of the batch.")
    w: float = Field(0.1, ge=0, description="Slope in the distance of the sample's mean from the batch's.")
    floor: float = Field(1e-3, gt=0, description="β is never below this.")
    keep: float = Field(0.8, gt=0, le=1, description="Share of the batch that is sampled.")
    seed: int = Field(0, ge=0, description="Seed of the sample, so that an answer repeats; another for each step.")

    @model_validator(mode="after")
    def _floor_below_beta(self) -> Self:
        if self.floor > self.beta:
            raise ValueError("floor must not be above beta")
        return self


class BatchItem(OperationItem):
    margins: list[float] = Field(description="Margins of the batch's pairs, at least one.")
    sampled: list[int] | None = Field(
        None, description="Indices, from 0, of the pairs that the trainer sampled. If omitted: they are drawn here."
    )


@operation(
    "transform",
    "mmrlhf_batch",
    item=BatchItem,
    params=BatchParams,
    source=RELEASED,
    fidelity="verified",
    returns="vector",
    grouped=True,
    cost=CHEAP,
)
def mmrlhf_batch(columns: Columns, params: BatchParams) -> Outcome:
    """One strength for a batch of pairs as MM-RLHF's released code sets it, from a sample of the batch.

    β = max(floor, β · (1 + w · (mean of the sampled A − mean A))), A the (implicit) margins of one batch, β = .1,
    w = .1, floor = .001. ⌊keep · n⌋ pairs (keep = .8, at least one) are drawn without replacement by the weights
    exp(−½·((A_i − mean) / std)²), std the sample's (all weights 1 where the margins are equal); or `sampled` says which
    the trainer drew. The same `seed` and margins give the same draw, which is not torch's.

    `rewards`: one number for each margin, all equal to β. Details: `sampled`, `weights`. The paper's rule, which looks
    at one pair alone, is `transform/mmrlhf_beta`. An empty batch, or indices that are not distinct ones of its pairs:
    an item error.
    """
    margins, sampled = columns.vectors("margins"), columns.objects("sampled")

    def compute_row(i: int) -> Row:
        batch = margins[i]
        if batch is None or not batch.size:
            raise ItemError("the batch has no margins", param="margins")
        centred = batch - batch.mean()
        std = float(batch.std(ddof=1)) if batch.size > 1 else 0.0
        z = centred / std if std > ROUNDING * max(1.0, float(np.abs(batch).max())) else np.zeros(batch.size)
        logits = -0.5 * z**2
        chosen = _draw(logits, params) if sampled[i] is None else _require_indices(sampled[i], batch.size)
        beta = max(params.floor, params.beta * (1 + params.w * float(centred[chosen].mean())))
        return Row(rewards=[beta] * batch.size, details={"sampled": chosen, "weights": np.exp(logits).tolist()})

    return by_row(columns.size, compute_row)


def _draw(logits: FloatArray, params: BatchParams) -> list[int]:
    """Indices drawn one after another, each by the weights exp(logits) of those that are left, in ascending order.

    The greatest of logits with Gumbel noise are such a draw, and no weight is too small for it.
    """
    count = max(1, int(params.keep * len(logits) + 1e-9))
    noisy = logits + np.random.default_rng(params.seed).gumbel(size=len(logits))
    return sorted(np.argsort(-noisy)[:count].tolist())


def _require_indices(sampled: Sequence[int], size: int) -> list[int]:
    indices = [int(index) for index in sampled]
    if not indices or len(set(indices)) < len(indices) or min(indices) < 0 or max(indices) >= size:
        raise ItemError(
            f"sampled must hold distinct indices of the {size} margins, from 0 to {size - 1}, at least one",
            param="sampled",
        )
    return indices
