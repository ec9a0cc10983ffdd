"""LaRe: step rewards from factors that a language model's code computed, brought together by a small net."""

import numpy as np
from pydantic import ConfigDict, Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..effects import Effectful
from ..members import matrix
from ..mlp import Head, read_head
from ..names import StoredSet
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "LaRe: Latent Reward, LLM-Empowered Credit Assignment in Episodic RL", "https://github.com/thu-rllab/LaRe"
)


class Params(OperationParams):
    model: StoredSet = Field("lare", description="Stored net (kind heads) from factors to a step reward.")
    direct: bool = Field(False, description="Skip the net: a step's reward is the sum of its factors.")
    rescale: bool = Field(False, description="Shift the rewards so that they sum to the return (our choice).")


class Item(OperationItem):
    model_config = ConfigDict(populate_by_name=True)

    factors: list[list[float]] = Field(description="[T, d] factors of every step.")
    return_: float | None = Field(None, alias="return", description="Return of the episode.")


@operation(
    "credit",
    "lare",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={"factors": 0},
)
def lare(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Proxy step rewards of an episode from its latent factors.

    r̂_t = f(z_t), z_t the d factors of step t (computed by the trainer), f a stored net (the paper's: three layers of
    256, ReLU, trained so that step rewards explain the return). `direct` skips the net: r̂_t = Σ z_t, which for the
    paper's single factor is the factor itself. `rescale` adds (R − Σ r̂) / T to every step, so that they sum to R; as
    trained, they need not.

    Factors of unequal width, a width that the net does not take, `rescale` without `return`: an item error. No
    steps: no rewards. Details: `total` = Σ r̂ before rescaling, `rd_loss` = (Σ r̂ / T − R / T)² where the return is
    given (the training loss RRD: `audit/rrd_loss`).
    """
    factors = columns.objects("factors")
    returns = columns.floats("return_") if "return_" in columns else columns.floats("return")
    head: Head | None = None
    if not params.direct:
        try:
            head = yield from read_head(params.model)
        except ItemError as error:
            missing = Invalid("model_unavailable", str(error))
            return Outcome(rewards=[None] * columns.size, invalid=dict.fromkeys(range(columns.size), missing))

    def compute_row(i: int) -> Row:
        total = None if np.isnan(returns[i]) else float(returns[i])
        if params.rescale and total is None:
            raise ItemError("rescale needs return", param="return")
        if len(factors[i]) == 0:
            return Row(rewards=[], details={"total": 0.0, "rd_loss": None})
        steps = _step_rewards(matrix(factors[i], "factors"), head)
        explained, length = float(steps.sum()), len(steps)
        gap = None if total is None else (explained - total) / length
        loss = None if gap is None else gap * gap  # a product overflows to infinity, where a power raises
        if params.rescale and total is not None:
            steps = steps + (total - explained) / length
        return Row(rewards=steps, details={"total": explained, "rd_loss": loss})

    return by_row(columns.size, compute_row)


def _step_rewards(factors: FloatArray, head: Head | None) -> FloatArray:
    if head is None:
        return np.asarray(factors.sum(axis=1))
    outputs = head.forward(factors, after="hidden")
    if outputs.shape[1] != 1:
        raise ItemError("the net must give one number per step")
    return np.asarray(outputs[:, 0])
