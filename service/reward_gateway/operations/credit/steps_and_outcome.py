"""Step rewards with the outcome at the end: what a trainer gets that has a process reward and a verdict."""

from pydantic import Field

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    alpha: float = Field(1.0, description="Weight of the step rewards.")
    outcome_weight: float = Field(1.0, description="Weight of the outcome.")


class Item(OperationItem):
    step_rewards: list[float] = Field(description="One a step.")
    outcome: float | bool | None = Field(None, description="Added to the last step, if there is one.")


@operation("credit", "steps_and_outcome", item=Item, params=Params, returns="vector", turn_fields={"step_rewards": 0})
def steps_and_outcome(columns: Columns, params: Params) -> Outcome:
    """Step rewards as they are, with the outcome on the last step.

    r_t = α · s_t for every step, and + w · outcome for the last, so that the rewards sum to α Σ s + w · outcome.
    No steps: an item error, for there is nothing that the outcome could stand on.
    """
    steps, outcomes = columns.vectors("step_rewards"), columns.floats("outcome", 0.0)

    def compute_row(i: int) -> Row:
        own = steps[i]
        if own is None or not len(own):
            raise ItemError("there are no steps", param="step_rewards")
        rewards = params.alpha * own
        rewards[-1] += params.outcome_weight * outcomes[i]
        return Row(rewards=rewards.tolist())

    return by_row(columns.size, compute_row)
