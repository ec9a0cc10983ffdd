"""One reward from several without weights: the mean, the product, the best, the worst, and the nearly worst."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome, invalid_field
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, operation


class Item(OperationItem):
    rewards: dict[str, float] | list[float] = Field(description="Rewards, by name or as a list; at least one.")


def _read_rewards(columns: Columns) -> tuple[Ragged, Outcome]:
    rewards = Ragged.of_column(columns, "rewards")
    nothing = invalid_field("there are no rewards to combine", "rewards")
    return rewards, Outcome(invalid=dict.fromkeys(np.flatnonzero(rewards.empty).tolist(), nothing))


@operation("combine", "mean", item=Item, cost=CHEAP)
def mean(columns: Columns, params: OperationParams) -> Outcome:
    """Arithmetic mean of the rewards.

    R = (1/n) Σ r_i. For weights, see weighted_sum.
    """
    rewards, outcome = _read_rewards(columns)
    outcome.reward = rewards.mean()
    return outcome


@operation("combine", "product", item=Item, cost=CHEAP)
def product(columns: Columns, params: OperationParams) -> Outcome:
    """Product of the rewards: any 0 makes it 0.

    R = Π r_i. Meant for rewards in [0, 1]; two negatives make a positive (combine/krc does not).
    """
    rewards, outcome = _read_rewards(columns)
    products = np.ones(columns.size)
    with np.errstate(over="ignore"):
        np.multiply.at(products, rewards.rows, rewards.values)
    outcome.reward = products
    return outcome


@operation("combine", "min", item=Item, cost=CHEAP)
def least(columns: Columns, params: OperationParams) -> Outcome:
    """The least of the rewards: only as good as the worst of them.

    R = min r_i.
    """
    rewards, outcome = _read_rewards(columns)
    outcome.reward = rewards.min()
    return outcome


@operation("combine", "max", item=Item, cost=CHEAP)
def greatest(columns: Columns, params: OperationParams) -> Outcome:
    """The greatest of the rewards.

    R = max r_i.
    """
    rewards, outcome = _read_rewards(columns)
    outcome.reward = rewards.max()
    return outcome


class SoftMinParams(OperationParams):
    temperature: float = Field(1.0, gt=0, description="Towards 0 the least reward, towards infinity the mean.")


@operation("combine", "soft_min", item=Item, params=SoftMinParams, cost=CHEAP)
def soft_min(columns: Columns, params: SoftMinParams) -> Outcome:
    """Smooth minimum: mostly the worst reward, and a little of the others.

    R = -T ln( (1/n) Σ exp(-r_i / T) ), between the least reward and the mean; equal rewards give themselves.
    Computed from the distances to the least reward, so that no size of reward overflows.
    """
    rewards, outcome = _read_rewards(columns)
    lowest = rewards.min()
    with np.errstate(over="ignore"):
        weights = np.exp(-(rewards.values - rewards.spread(lowest)) / params.temperature)
    outcome.reward = lowest - params.temperature * np.log(rewards.with_values(weights).mean())
    return outcome
