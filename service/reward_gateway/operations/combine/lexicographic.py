"""Lexicographic order as one number: the first component decides, the next ones only break its ties."""

import math
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from ..columns import Columns
from ..costs import Cost
from ..names import SelectedComponent
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation
from .weighted_sum import column, require

_SLACK = 1e-9  # so that a value on the edge of a step belongs to the upper one whatever its rounding


class Level(OperationParams):
    name: SelectedComponent = Field(description="The component.")
    low: float = Field(0.0, description="Its lowest value; less counts as it.")
    high: float = Field(1.0, description="Its highest value; more counts as it.")
    steps: int = Field(10, ge=2, le=1_000_000, description="Values in one of these equal steps count as ties.")

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Params(OperationParams):
    order: list[Level] = Field(min_length=1, max_length=16, description="Components, the most important first.")

    @model_validator(mode="after")
    def _check_resolution(self) -> Self:
        if math.prod(level.steps for level in self.order) > 2**53:
            raise ValueError("the steps multiply to more than 2^53: a double cannot tell them apart; use fewer")
        return self


class Item(OperationItem):
    rewards: dict[str, float] = Field(description="Component rewards by name; each that is ordered has to be there.")


@operation("combine", "lexicographic", item=Item, params=Params, cost=Cost(unit=0.6))
def lexicographic(columns: Columns, params: Params) -> Outcome:
    """Lexicographic order of components with tolerances, as a number in [0, 1].

    Each component is cut into equal steps between its low and high; values in one step are ties. The steps
    are the digits of a mixed-radix number, the most important first:
    d_k = min(floor(s_k (r_k - low_k) / (high_k - low_k)), s_k - 1);  R = (Σ d_k Π_{j>k} s_j) / (Π s_j - 1).

    So any gain in an earlier component outweighs every loss in the later ones, and yet R is a plain reward:
    the same for a sample alone or in a batch. Steps of an earlier component are far apart: normalise by rank
    within groups where only the order should count. Details: `digits`, in order.
    """
    outcome = Outcome()
    code = np.zeros(columns.size)
    digits = []
    for level in params.order:
        values = column(columns, level.name)
        require(outcome, level.name, values)
        share = np.clip((values - level.low) / (level.high - level.low), 0.0, 1.0)
        digit = np.minimum(np.floor(share * level.steps + _SLACK), level.steps - 1)
        code = code * level.steps + digit
        digits.append(digit)
    outcome.reward = code / (math.prod(level.steps for level in params.order) - 1)
    outcome.details = {"digits": np.stack(digits, axis=1).tolist()}
    return outcome
