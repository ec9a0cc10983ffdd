"""A reward under a constraint: the cost is charged at a price that rises while the constraint is broken."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ..columns import Columns
from ..costs import CHEAP
from ..effects import Effectful, UpdateCoefficient, perform
from ..names import CoefficientName
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, Source, operation
from ..transform.running_scale import LARGEST, TOO_LARGE

SOURCE = Source("Safe RLHF: Safe Reinforcement Learning from Human Feedback", "https://arxiv.org/abs/2310.12773")

HIGHEST = 1e6
"""The multiplier never exceeds it."""

LOWEST = 1e-12
"""A multiplier that grows by factors never falls below it: it would not come back from 0."""


class Params(OperationParams):
    name: CoefficientName = Field(
        min_length=1, max_length=256, description="Name of the stored multiplier (state of kind coefficients)."
    )
    limit: float = Field(0.0, ge=-LARGEST, le=LARGEST, description="The mean cost d that is allowed.")
    rate: float = Field(0.1, ge=0, le=HIGHEST, description="Step size η of the multiplier.")
    variant: Literal["projected", "safe_rlhf"] = Field(
        "projected", description="projected: λ moves by steps, not below 0. safe_rlhf: ln λ does, and R − λC is scaled."
    )
    start: float = Field(1.0, ge=0, le=HIGHEST, description="The multiplier λ before the first batch.")
    max: float = Field(HIGHEST, gt=0, le=HIGHEST, description="λ is never above this.")

    @model_validator(mode="after")
    def _check_start(self) -> Self:
        if self.start > self.max:
            raise ValueError(f"start: {self.start:g} is above max, {self.max:g}")
        if self.variant == "safe_rlhf" and self.start < LOWEST:
            raise ValueError(f"start: safe_rlhf multiplies λ, which has to begin at {LOWEST:g} or more")
        return self


class Item(OperationItem):
    reward: float = Field(description="What is to be large: R.")
    cost: float = Field(description="What has to be `limit` or less on average: C. Higher is worse.")


@operation(
    "combine", "lagrangian", item=Item, params=Params, source=SOURCE, fidelity="second-hand", stateful=True, cost=CHEAP
)
def lagrangian(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Reward minus a multiplier times a cost; the multiplier is adapted so that the mean cost meets a limit.

    | variant | r' | after the batch |
    |---|---|---|
    | projected | R − λC | λ ← max(0, λ + η (mean C − d)) |
    | safe_rlhf | (R − λC) / (1 + λ) | ln λ ← ln λ + η λ (mean C − d) |

    λ is state of the caller and run under `name`, and begins with `start`. A batch is the valid items of a request. It
    is answered with the λ that was stored when it came, and changes it once it is answered: from the λ that is stored
    then, so that requests at the same time each count once, and a repeat with the same Idempotency-Key does not. λ
    never exceeds `max`, at most 1e6; with safe_rlhf it never falls below 1e-12. Rewards of different λ do not compare.

    safe_rlhf is the step of plain SGD on −λ (mean C − d) in ln λ, and scales as the released trainer does. That
    trainer combines the advantages of two critics where rewards are combined here, changes λ before the batch is used,
    and takes mean C over a window of episodes.

    What a fallback has scored in place of a model moves a λ of its own (`NAME@FALLBACK`): it has a scale of its own.

    A number above 1e100 in magnitude is an item error, and no part of the mean. Where no item is valid, λ stays.
    Details: `multiplier`, the λ of this answer. `GET /v1/state/coefficients/NAME` shows the present one, and DELETE
    lets it begin anew. `credit/kl_penalty` keeps its coefficients under the same kind: take another name there.
    """
    rewards, costs = columns.floats("reward"), columns.floats("cost")
    large = (np.abs(rewards) > LARGEST) | (np.abs(costs) > LARGEST)
    invalid = dict.fromkeys(np.flatnonzero(large).tolist(), TOO_LARGE)
    kept = costs[~large]
    if not len(kept):
        return Outcome(reward=np.full(columns.size, np.nan), invalid=invalid)
    scaled = params.variant == "safe_rlhf"
    multiplier = yield from perform(
        UpdateCoefficient(
            params.name,
            "grow" if scaled else "add",
            params.rate * (float(kept.mean()) - params.limit),
            start=params.start,
            least=min(LOWEST, params.max) if scaled else 0.0,
            most=params.max,
        )
    )
    reward = (rewards - multiplier * costs) / (1.0 + multiplier if scaled else 1.0)
    return Outcome(
        reward=np.where(large, np.nan, reward), details={"multiplier": [multiplier] * columns.size}, invalid=invalid
    )
