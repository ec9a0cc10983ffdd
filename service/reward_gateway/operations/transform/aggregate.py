"""A vector of step rewards made one number."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

How = Literal["min", "max", "mean", "sum", "product", "last", "first"]

_FUNCTIONS: dict[How, Callable[[FloatArray], float]] = {
    "min": lambda steps: float(np.min(steps)),
    "max": lambda steps: float(np.max(steps)),
    "mean": lambda steps: float(np.mean(steps)),
    "sum": lambda steps: float(np.sum(steps)),
    "product": lambda steps: float(np.prod(steps)),
    "last": lambda steps: float(steps[-1]),
    "first": lambda steps: float(steps[0]),
}


class Params(OperationParams):
    how: How = Field("min", description="min (the weakest step), mean, product, sum, last, first or max.")


class Item(OperationItem):
    step_rewards: list[float] = Field(description="Rewards of the steps, at least one.")


@operation(
    "transform",
    "aggregate",
    item=Item,
    params=Params,
    source=Source("Let's Verify Step by Step", "https://arxiv.org/abs/2305.20050"),
    fidelity="recalled",
)
def aggregate(columns: Columns, params: Params) -> Outcome:
    """One number of a vector of step rewards: the minimum, mean, product, sum, last and others.

    The minimum and the product are the usual readings of a process reward model's step probabilities.
    A vector without steps is an item error.
    """
    steps = columns.vectors("step_rewards")

    def row(i: int) -> Row:
        vector = steps[i]
        if vector is None or not len(vector):
            raise ItemError("step_rewards is empty: there is nothing to aggregate", param="step_rewards")
        return Row(reward=_FUNCTIONS[params.how](vector))

    return by_row(columns.size, row)
