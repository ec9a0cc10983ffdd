"""Gentle weighted sums (job application evaluation, 2511.16073): bounded penalties, so that training stays alive."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..costs import CHEAP
from ..names import ComponentName, SelectedComponent
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Job application evaluation with custom reward functions", "https://arxiv.org/abs/2511.16073")


class Params(OperationParams):
    weights: dict[SelectedComponent, float] = Field(
        min_length=1, description="Weight of each component; they sum to 1."
    )
    floor: float | None = Field(None, description="The reward is never below this, for example -0.5.")
    bounds: dict[ComponentName, list[float]] = Field(
        default_factory=dict, description="Component -> [low, high]: it is clipped to that before it is weighted."
    )

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> Self:
        total = sum(self.weights.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the weights sum to {total:g}; they must sum to 1")
        for name, bound in self.bounds.items():
            if name not in self.weights:
                raise ValueError(f"bounds names {name!r}, which has no weight")
            if len(bound) != 2 or bound[0] > bound[1]:
                raise ValueError(f"the bounds of {name!r} must be [low, high]")
        return self


class Item(OperationItem):
    components: dict[str, float] = Field(
        description="Component rewards by name; each has to have a weight, and each weight its component."
    )


@operation("combine", "weighted", item=Item, params=Params, source=SOURCE, fidelity="recalled", cost=CHEAP)
def weighted(columns: Columns, params: Params) -> Outcome:
    """Weighted sum of named components with a floor under the penalty.

    R = max(floor, Σ_i w_i · clip(c_i, bounds_i)), Σ_i w_i = 1. Weights, bounds and floor are the caller's: the paper
    gives none, and its lesson is that aggressive penalties made the model collapse into negative behaviour.

    A component that is missing is an item error, never 0; so is one that has no weight. Details: `unfloored`.
    """
    table = columns.table("components")
    total = np.zeros(columns.size)
    invalid: dict[int, Invalid] = {}
    for name, weight in params.weights.items():
        values = table.get(name, np.full(columns.size, np.nan))
        for row in np.flatnonzero(np.isnan(values)):
            invalid[int(row)] = Invalid(
                "missing_field", f"the component {name!r} is missing", param=f"components.{name}"
            )
        if name in params.bounds:
            values = np.clip(values, params.bounds[name][0], params.bounds[name][1])
        total = total + weight * values
    for name in table.keys() - params.weights.keys():
        for row in np.flatnonzero(~np.isnan(table[name])):
            invalid[int(row)] = invalid_field(f"the component {name!r} has no weight", f"components.{name}")
    reward = total if params.floor is None else np.maximum(total, params.floor)
    return Outcome(reward=reward, details={"unfloored": total.tolist()}, invalid=invalid)
