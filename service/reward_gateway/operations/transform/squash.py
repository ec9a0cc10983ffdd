"""Squash the real line into an interval: saturating curves, monotone and smooth."""

import numpy as np
from pydantic import Field
from scipy.special import expit

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    center: float = Field(0.0, description="The reward that lands in the middle.")
    scale: float = Field(1.0, gt=0, description="Distance from the center over which the curve bends.")


class Item(OperationItem):
    reward: float = Field(description="Reward to squash.")


@operation("transform", "sigmoid", item=Item, params=Params, cost=CHEAP)
def sigmoid(columns: Columns, params: Params) -> Outcome:
    """Logistic sigmoid, into (0, 1).

    r' = 1 / (1 + exp(-(r - center) / scale)), computed without overflow; in double precision it
    reaches 0 and 1 exactly far from the center.
    """
    with np.errstate(over="ignore"):
        return Outcome(reward=expit((columns.floats("reward") - params.center) / params.scale))


@operation("transform", "tanh", item=Item, params=Params, cost=CHEAP)
def tanh(columns: Columns, params: Params) -> Outcome:
    """Hyperbolic tangent, into (-1, 1).

    r' = tanh((r - center) / scale).
    """
    with np.errstate(over="ignore"):
        return Outcome(reward=np.tanh((columns.floats("reward") - params.center) / params.scale))
