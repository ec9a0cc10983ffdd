"""Bend the scale of a reward and keep its sign: powers and logarithms."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation


class Item(OperationItem):
    reward: float = Field(description="Reward to transform.")


class PowerParams(OperationParams):
    exponent: float = Field(gt=0, description="Below 1 it evens out large rewards, above 1 it stresses them.")


@operation("transform", "power", item=Item, params=PowerParams, cost=CHEAP)
def power(columns: Columns, params: PowerParams) -> Outcome:
    """Signed power.

    r' = sign(r) * |r| ** exponent. Odd and monotone for every exponent.
    """
    rewards = columns.floats("reward")
    with np.errstate(over="ignore"):
        return Outcome(reward=np.copysign(np.abs(rewards) ** params.exponent, rewards))


class LogParams(OperationParams):
    floor: float | None = Field(None, gt=0, description="Rewards below it count as it. Unset: they are an item error.")


@operation("transform", "log", item=Item, params=LogParams, cost=CHEAP)
def log(columns: Columns, params: LogParams) -> Outcome:
    """Natural logarithm of a positive reward, a probability for example.

    r' = ln(max(r, floor)). Without a floor, a reward of 0 or less is an item error.
    """
    rewards = columns.floats("reward")
    if params.floor is not None:
        return Outcome(reward=np.log(np.maximum(rewards, params.floor)))
    beyond = np.flatnonzero(rewards <= 0)
    reason = invalid_field("reward must be above 0; give params.floor to bound it from below", "reward")
    logs = np.log(np.where(rewards > 0, rewards, np.nan))
    return Outcome(reward=logs, invalid=dict.fromkeys(beyond.tolist(), reason))


class SymlogParams(OperationParams):
    scale: float = Field(1.0, gt=0, description="Rewards well below it stay almost linear.")


@operation(
    "transform",
    "symlog",
    item=Item,
    params=SymlogParams,
    source=Source("Mastering Diverse Domains through World Models (DreamerV3)", "https://arxiv.org/abs/2301.04104"),
    fidelity="recalled",
    cost=CHEAP,
)
def symlog(columns: Columns, params: SymlogParams) -> Outcome:
    """Symmetric logarithm: linear near 0, logarithmic far out, odd.

    r' = sign(r) * ln(1 + |r| / scale); the paper's is scale 1.
    """
    rewards = columns.floats("reward")
    with np.errstate(over="ignore"):
        return Outcome(reward=np.copysign(np.log1p(np.abs(rewards) / params.scale), rewards))
