"""The loss that T-REG adds to DPO, for a preference pair."""

import numpy as np
from pydantic import Field
from scipy.special import expit

from ..columns import Columns
from ..credit.treg import SOURCE
from ..numerics import softplus
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    alpha: float = Field(0.25, ge=0, description="Weight of the regulariser; the paper tries .1, .25 and .5.")


class Item(OperationItem):
    dpo_chosen: float = Field(description="DPO's implicit reward of the chosen response.")
    dpo_rejected: float = Field(description="The same of the rejected one.")
    reg_chosen: float = Field(0.0, description="reg_loss of the chosen response, from credit/treg.")
    reg_rejected: float = Field(0.0, description="The same of the rejected one.")


@operation("audit", "treg_loss", item=Item, params=Params, source=SOURCE, fidelity="second-hand")
def treg_loss(columns: Columns, params: Params) -> Outcome:
    """Loss of a preference pair under DPO with T-REG's regulariser.

    L = −log σ(r_w − r_l) + α · w · (L_reg(y_w) + L_reg(y_l)), w = σ(r_l − r_w), the weight that DPO's gradient carries
    (taken as a constant). α is one of .1, .25 and .5 in the paper; .25 here. Lower is better. Details: `dpo_loss`,
    `weight`.
    """
    gap = columns.floats("dpo_chosen") - columns.floats("dpo_rejected")
    weight, loss = expit(-gap), softplus(-gap)
    regulariser = columns.floats("reg_chosen", 0.0) + columns.floats("reg_rejected", 0.0)
    return Outcome(
        reward=np.asarray(loss + params.alpha * weight * regulariser),
        details={"dpo_loss": loss.tolist(), "weight": weight.tolist()},
    )
