"""Put a reward of known range on another range."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    low: float = Field(description="The reward that becomes to_low.")
    high: float = Field(description="The reward that becomes to_high.")
    to_low: float = Field(0.0, description="Start of the new range.")
    to_high: float = Field(1.0, description="End of the new range.")
    clip: bool = Field(True, description="Rewards outside [low, high] stay at the ends of the new range.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Item(OperationItem):
    reward: float = Field(description="Reward to scale, between the bounds of the params.")


@operation("transform", "minmax", item=Item, params=Params, cost=CHEAP)
def minmax(columns: Columns, params: Params) -> Outcome:
    """Min-max scaling with known bounds.

    x = (r - low) / (high - low), clipped to [0, 1] unless ``clip`` is false; r' = to_low + x * (to_high - to_low).
    For the smallest and largest of a group or a request, see group_normalise.
    """
    share = (columns.floats("reward") - params.low) / (params.high - params.low)
    if params.clip:
        share = np.clip(share, 0.0, 1.0)
    # Both ends exact: (1 - x) a + x b gives a at 0 and b at 1 without rounding.
    return Outcome(reward=(1.0 - share) * params.to_low + share * params.to_high)
