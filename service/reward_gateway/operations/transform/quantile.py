"""Where a reward stands in a known distribution: its share of reference rewards, or its place between quantiles."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    references: list[float] | None = Field(None, min_length=1, description="Rewards of reference responses, any order.")
    quantiles: list[float] | None = Field(
        None, min_length=2, description="Rewards at evenly spaced levels from 0 to 1, strictly rising."
    )

    @model_validator(mode="after")
    def _one_distribution(self) -> Self:
        if self.references is not None and self.quantiles is not None:
            raise ValueError("give references or quantiles, not both")
        if self.quantiles is not None and any(b <= a for a, b in zip(self.quantiles, self.quantiles[1:], strict=False)):
            raise ValueError("quantiles must rise strictly")
        return self


class Item(OperationItem):
    reward: float = Field(description="Reward whose level is asked.")
    reference_rewards: list[float] | None = Field(None, description="This item's own references.")


def empirical_cdf(rewards: FloatArray, references: FloatArray) -> FloatArray:
    """Share of references below each reward, ties counted half. [n], [m > 0] -> [n] in [0, 1]; NaN stays NaN."""
    ordered = np.sort(references)
    below = np.searchsorted(ordered, rewards, side="left")
    up_to = np.searchsorted(ordered, rewards, side="right")
    return np.where(np.isnan(rewards), np.nan, (below + up_to) / (2.0 * len(ordered)))


@operation("transform", "quantile", item=Item, params=Params, cost=CHEAP)
def quantile(columns: Columns, params: Params) -> Outcome:
    """Map a reward to its level in a distribution, in [0, 1].

    With references (the item's own ``reference_rewards``, else ``params.references``): the share of them
    that lies below, ties counted half. With ``params.quantiles``: linear between the two quantiles around
    it, 0 below the first and 1 above the last. An item with neither is an error.
    """
    rewards = columns.floats("reward")
    own = columns.vectors("reference_rewards")
    outcome = Outcome(reward=np.full(columns.size, np.nan))
    levels = outcome.reward
    assert levels is not None
    if params.quantiles is not None:
        levels[:] = np.interp(rewards, params.quantiles, np.linspace(0.0, 1.0, len(params.quantiles)))
    elif params.references is not None:
        levels[:] = empirical_cdf(rewards, np.asarray(params.references))
    for row, references in enumerate(own):
        if references is not None and len(references):
            levels[row] = empirical_cdf(rewards[row : row + 1], references)[0]
        elif params.quantiles is None and params.references is None:
            outcome.invalid[row] = invalid_field(
                "no distribution: give reference_rewards, params.references or params.quantiles", "reference_rewards"
            )
    return outcome
