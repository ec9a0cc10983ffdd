"""Shift and scale: the plainest transform."""

from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    scale: float = Field(1.0, description="Multiplies the reward.")
    shift: float = Field(0.0, description="Added after scaling.")


class Item(OperationItem):
    reward: float = Field(description="Reward to scale and shift.")


@operation("transform", "affine", item=Item, params=Params, cost=CHEAP)
def affine(columns: Columns, params: Params) -> Outcome:
    """Scale, then shift.

    r' = scale * r + shift
    """
    return Outcome(reward=params.scale * columns.floats("reward") + params.shift)
