"""PURE: a chain of steps is worth what its worst step is."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..numerics import require_finite, return_to_go
from ..outcome import Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Stop Summation: Min-Form Credit Assignment Is All Process Reward Model Needs for Reasoning (PURE)",
    "https://arxiv.org/abs/2504.15275",
)


class Params(OperationParams):
    temperature: float = Field(0.1, gt=0, description="The lower, the nearer is the sum to the least reward.")


class Item(OperationItem):
    step_rewards: list[float] = Field(
        description="One a step. The authors' are P(good) − P(bad) of a process reward model, in [−1, 1]."
    )


def weigh_least(rewards: FloatArray, temperature: float) -> FloatArray:
    """softmax(−r / T): weights that sum to 1, the greatest for the least reward. [n] -> [n]."""
    if not len(rewards):
        return rewards
    weights = np.exp(-(rewards - rewards.min()) / temperature)
    return np.asarray(weights / weights.sum())


@operation(
    "credit",
    "min_form",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={"step_rewards": 0},
)
def min_form(columns: Columns, params: Params) -> Outcome:
    """Step rewards that sum to about the least of them, so that one bad step cannot be made up for (PURE).

    r*_t = r_t · softmax(−r / T)_t, T = .1. Their sum lies between the least reward and the mean, and goes to the least
    with T. A step of a large reward gets nearly nothing; a longer chain is not worth more.

    The softmax is unchanged by a constant that is added to all rewards, r* is not: with rewards from 0 to 1 a good step
    earns little and a bad one nothing, so that the authors give P(good) − P(bad), below 0 for a bad step.

    No steps: no rewards. A single step keeps its reward; equal ones share it. `rewards`: r*. Details: `returns`, what
    is still to come at each step, Σ_(k ≥ t) r*_k without a discount, as the paper has it.
    """
    given = columns.vectors("step_rewards")

    def compute_row(i: int) -> Row:
        own = given[i] if given[i] is not None else np.empty(0)
        assert own is not None
        rewards = require_finite(own * weigh_least(own, params.temperature), "step_rewards")
        return Row(rewards=rewards, details={"returns": return_to_go(rewards)})

    return by_row(columns.size, compute_row)
