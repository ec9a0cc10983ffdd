"""Keep a reward within bounds."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    low: float | None = Field(None, description="Smallest reward that is given; none if unset.")
    high: float | None = Field(None, description="Largest reward that is given; none if unset.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low must not be above high")
        return self


class Item(OperationItem):
    reward: float = Field(description="Reward to clip.")


@operation("transform", "clip", item=Item, params=Params, cost=CHEAP)
def clip(columns: Columns, params: Params) -> Outcome:
    """Clip to [low, high].

    r' = min(max(r, low), high); a bound that is not given does not bind.
    """
    return Outcome(reward=np.clip(columns.floats("reward"), params.low, params.high))
