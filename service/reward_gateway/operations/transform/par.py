"""Preference as reward (PAR) and the stateless shapes it was compared with; the running ones are in par_running."""

from functools import cache
from typing import Literal, Self

import numpy as np
from numpy.polynomial import Polynomial
from pydantic import Field, model_validator
from scipy.special import expit

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, Source, operation
from .log_sigmoid import log_sigmoid_of, reference_quantile

SOURCE = Source("Reward Shaping to Mitigate Reward Hacking in RLHF (PAR)", "https://arxiv.org/abs/2502.18770")

Shape = Literal["par", "centered", "sgfc", "sgfc_relative", "tanh", "arctan", "polynomial", "lsc", "ceil"]


class Params(OperationParams):
    shape: Shape = Field("par", description="Which shape; see the text.")
    k: float = Field(1.0, gt=0, description="Steepness of the sigmoid (par, sgfc).")
    max_references: int = Field(10, ge=1, description="Only the first so many reference rewards are used.")
    center: float = Field(3.0, description="Fixed centre of sgfc.")
    quantile: float = Field(0.85, gt=0, lt=1, description="Normal quantile of the reference rewards (lsc).")
    ceiling: float | None = Field(None, description="Upper bound of the reward (ceil).")
    free_length: float = Field(300.0, ge=0, description="Length that costs nothing, where the item gives a length.")
    length_cost: float = Field(0.01, ge=0, description="Cost of each unit of length beyond it; 0 switches it off.")

    @model_validator(mode="after")
    def _ceil_has_a_ceiling(self) -> Self:
        if self.shape == "ceil" and self.ceiling is None:
            raise ValueError("shape ceil needs params.ceiling")
        return self


class Item(OperationItem):
    reward: float = Field(description="Reward of the answer.")
    reference_rewards: list[float] | None = Field(
        None, description="Rewards of reference answers to the same prompt; sgfc and ceil alone need none."
    )
    length: float | None = Field(None, description="Length of the answer. If omitted: no length penalty.")


@cache
def sigmoid_polynomial() -> Polynomial:
    """The fifth-order least-squares fit of the sigmoid at 100 even points of [−5, 5]."""
    x = np.linspace(-5.0, 5.0, 100)
    return Polynomial.fit(x, expit(x), 5)


def polynomial_sigmoid(x: FloatArray) -> FloatArray:
    """The fit inside (−5, 5), 0 below and 1 above."""
    inside = sigmoid_polynomial()(np.clip(x, -5.0, 5.0))
    return np.where(x <= -5, 0.0, np.where(x >= 5, 1.0, inside))


def less_length(reward: FloatArray, columns: Columns, free_length: float, length_cost: float) -> FloatArray:
    """[n] rewards after the length penalty; items without a length keep theirs."""
    lengths = columns.floats("length", 0.0)
    return reward - length_cost * np.maximum(np.nan_to_num(lengths) - free_length, 0.0)


@operation("transform", "par", item=Item, params=Params, source=SOURCE, fidelity="verified", cost=CHEAP)
def par(columns: Columns, params: Params) -> Outcome:
    """Preference as reward: how likely an answer beats the reference answers to its prompt.

    par (default): r' = mean_m σ(k · (r − r_ref_m)), k = 1, in (0, 1): the Bradley–Terry probability of beating
    a reference, averaged over the first `max_references` (10) of `reference_rewards`; one is enough. The siblings:

    - centered: mean_m (r − r_ref_m)
    - sgfc: σ(k · (r − center)), center = 3, without references; sgfc_relative: mean_m σ(k · (r − center − r_ref_m))
    - tanh, arctan: mean_m tanh(r − r_ref_m), mean_m arctan(r − r_ref_m)
    - polynomial: mean_m p(r − r_ref_m), p the fifth-order fit of the sigmoid on [−5, 5], 0 below and 1 above
    - lsc: log σ(r − q), q the normal quantile (.85) of all reference rewards; see `transform/log_sigmoid`
    - ceil: min(r, ceiling), without references

    Where the item gives a `length`, r is first lowered by length_cost · max(0, length − free_length), .01 beyond 300;
    `ceil` takes the minimum first, and lowers that. A shape that needs references and has none is an item error, never
    a fallback.
    Details: `penalised`, the reward after the length penalty.
    """
    reward = columns.floats("reward")
    if params.ceiling is not None and params.shape == "ceil":
        reward = np.minimum(reward, params.ceiling)
    reward = less_length(reward, columns, params.free_length, params.length_cost)
    details = {"penalised": reward.tolist()}
    if params.shape == "ceil":
        return Outcome(reward=reward, details=details)
    if params.shape == "sgfc":
        return Outcome(reward=expit(params.k * (reward - params.center)), details=details)
    references = Ragged.of_column(columns, "reference_rewards")
    reason = Invalid("missing_field", "give at least one reference reward", param="reference_rewards")
    shaped = _compare_to_references(references, reward, params)
    invalid = dict.fromkeys(np.flatnonzero(references.empty).tolist(), reason)
    return Outcome(reward=shaped, details=details, invalid=invalid)


def _compare_to_references(references: Ragged, reward: FloatArray, params: Params) -> FloatArray:
    if params.shape == "lsc":
        return log_sigmoid_of(reward - reference_quantile(references, params.quantile, "normal"))
    references = references.head(params.max_references)
    gaps = references.spread(reward) - references.values
    match params.shape:
        case "centered":
            values = gaps
        case "sgfc_relative":
            values = expit(params.k * (gaps - params.center))
        case "tanh":
            values = np.tanh(gaps)
        case "arctan":
            values = np.arctan(gaps)
        case "polynomial":
            values = polynomial_sigmoid(gaps)
        case _:
            values = expit(params.k * gaps)
    return references.with_values(values).mean()
