"""MM-RLHF's dynamic reward scaling: the strength β of a preference pair from its reward margin."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from ..columns import Columns
from ..costs import CHEAP
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
    beta: float = Field(0.1, gt=0, description="β of a pair of average margin.")
    w: float = Field(0.1, ge=0, description="Slope in the margin's distance from the batch's mean.")
    floor: float = Field(1e-3, gt=0, description="β is never below this.")
    keep: float = Field(1.0, gt=0, le=1, description="Share of the batch to train on; the released code takes .8.")

    @model_validator(mode="after")
    def _floor_below_beta(self) -> Self:
        if self.floor > self.beta:
            raise ValueError("floor must not be above beta")
        return self


class BatchItem(OperationItem):
    margins: list[float] = Field(description="Margins of the batch's pairs, at least one.")


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
    """Strengths of a batch of pairs as MM-RLHF's released code sets them.

    β_i = max(floor, β · (1 + w · (A_i − mean A))), A the (implicit) margins of one batch, β = .1, w = .1,
    floor = .001. The paper's rule, which looks at one pair alone, is `transform/mmrlhf_beta`. An empty batch is the
    item's error. Details: `weights`, the Gaussian weight exp(−½·((A_i − mean) / std)²) by which that code samples
    pairs (all 1 where the margins are equal), and `samples`, how many it would take at `keep`.
    """
    margins = columns.vectors("margins")

    def compute_row(i: int) -> Row:
        batch = margins[i]
        if batch is None or not batch.size:
            raise ItemError("the batch has no margins", param="margins")
        centred = batch - batch.mean()
        std = float(batch.std())
        z = centred / std if std > 1e-12 * max(1.0, float(np.abs(batch).max())) else np.zeros(batch.size)
        betas = np.maximum(params.floor, params.beta * (1 + params.w * centred))
        count = max(1, int(params.keep * batch.size + 1e-9))
        return Row(rewards=betas.tolist(), details={"weights": np.exp(-0.5 * z**2).tolist(), "samples": count})

    return by_row(columns.size, compute_row)
