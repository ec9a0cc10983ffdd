"""Behaviour alignment reward functions (BARFI): primary and auxiliary reward, blended by learned weights."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..costs import Cost
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Behavior Alignment via Reward Function Optimization", "https://arxiv.org/abs/2310.19007")


class Params(OperationParams):
    phi: list[float] = Field([1.0, 1.0], description="Weights of the primary and of the auxiliary reward.")
    version: str | None = Field(None, description="Name of this set of weights; it is echoed in the details.")

    @model_validator(mode="after")
    def _two_weights(self) -> Self:
        if len(self.phi) != 2:
            raise ValueError("phi holds two weights: of the primary and of the auxiliary reward")
        return self


class Item(OperationItem):
    primary: float | list[float] = Field(description="The task's own reward: a number, or one a step of a trajectory.")
    aux: float | list[float] | None = Field(
        None,
        description="The designer's auxiliary reward, in the form of `primary`. If omitted: an error unless φ_2 is 0.",
    )
    residual: float | list[float] | None = Field(
        None, description="Learned term, in the form of `primary`; if omitted: 0."
    )


@operation(
    "combine", "barfi", item=Item, params=Params, source=SOURCE, fidelity="recalled", cost=Cost(row=8.0, unit=1.0)
)
def barfi(columns: Columns, params: Params) -> Outcome:
    """Blend a primary reward with a designer's auxiliary reward by given weights.

    r_φ = residual + φ_1 · primary + φ_2 · aux. The weights are learned by the trainer's outer loop, which maximises
    the primary return of the policy that the blend leads to; here they are applied, and `version` is echoed.
    `residual` is a learned term, 0 if absent. φ = [1, 1], the default, is the naive sum; for potential-based shaping
    see `transform/pbrs`.

    A missing `aux` is an item error unless φ_2 = 0. Lists (a trajectory's rewards) are blended element by element
    and must be of one length; `rewards` answers them. Details: `phi`, `version`.
    """
    details: dict[str, Sequence[Any]] = {
        "phi": [list(params.phi)] * columns.size,
        "version": [params.version] * columns.size,
    }
    given = (value for name in ("primary", "aux", "residual") for value in columns.objects(name))
    if any(isinstance(value, (list, np.ndarray)) for value in given):
        outcome = by_row(columns.size, lambda i: _blend_one(columns, params, i))
        outcome.details = details
        return outcome
    aux = columns.floats("aux")
    if params.phi[1] == 0:
        aux = np.nan_to_num(aux)
    reward = columns.floats("residual", 0.0) + params.phi[0] * columns.floats("primary") + params.phi[1] * aux
    reason = Invalid("missing_field", "give aux, or a phi whose second weight is 0", param="aux")
    return Outcome(
        reward=reward, details=details, invalid=dict.fromkeys(np.flatnonzero(np.isnan(aux)).tolist(), reason)
    )


def _blend_one(columns: Columns, params: Params, i: int) -> Row:
    primary, aux, residual = (columns.objects(name)[i] for name in ("primary", "aux", "residual"))
    if aux is None and params.phi[1] != 0:
        raise ItemError("give aux, or a phi whose second weight is 0", param="aux")
    parts = [_as_array(0.0 if part is None else part) for part in (primary, aux, residual)]
    lengths = {part.size for part in parts if part.ndim}
    if len(lengths) > 1:
        raise ItemError(f"primary, aux and residual must be of one length, and are of {sorted(lengths)}")
    blended = parts[2] + params.phi[0] * parts[0] + params.phi[1] * parts[1]
    return Row(rewards=blended.tolist()) if blended.ndim else Row(reward=float(blended))


def _as_array(value: Any) -> FloatArray:
    return np.asarray(value, dtype=np.float64)
