"""Rewards a step from the progress of an episode: what each step gained, and a bonus where the task is solved."""

from typing import Literal

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Policy Invariance Under Reward Transformations: Theory and Application to Reward Shaping",
    "https://people.eecs.berkeley.edu/~russell/papers/icml99-shaping.pdf",
)


class Params(OperationParams):
    mode: Literal["difference", "value"] = Field(
        "difference", description="difference: γ·Φ_t − Φ_(t−1), 0 at the first frame. value: Φ_t itself."
    )
    gamma: float = Field(1.0, ge=0, le=1, description="Discount; it must be the trainer's own.")
    scale: float = Field(1.0, description="Of the progress.")
    threshold: float = Field(0.5, ge=0, le=1, description="From this `success` on the episode counts as solved.")
    bonus: float = Field(0.0, description="On the last frame of a solved episode.")


class Item(OperationItem):
    values: list[float] = Field(description="Progress Φ at every frame.")
    success: float | bool | None = Field(None, description="Probability or verdict at the last frame.")


@operation("credit", "progress_steps", item=Item, params=Params, source=SOURCE, fidelity="verified", returns="vector")
def progress_steps(columns: Columns, params: Params) -> Outcome:
    """One reward per frame from the progress at every frame.

    Mode `difference` is potential-based shaping with Φ = progress: r_t = scale · (γ·Φ_t − Φ_(t−1)), the reward of the
    step that led to frame t, and r_0 = 0; with γ = 1 the rewards sum to what the episode gained. Mode `value`:
    r_t = scale · Φ_t. If `success` reaches the threshold, the last frame has the bonus on top; where there is a bonus
    and no `success`, it is an item error, and so is an episode without frames. Details: `solved`.
    """
    values, success = columns.vectors("values"), columns.floats("success")

    def compute_row(i: int) -> Row:
        progress = values[i]
        if progress is None or not len(progress):
            raise ItemError("there are no frames", param="values")
        if params.bonus and np.isnan(success[i]):
            raise ItemError("a bonus needs success", param="success")
        gained = np.append(0.0, params.gamma * progress[1:] - progress[:-1])
        rewards = params.scale * (gained if params.mode == "difference" else progress)
        solved = None if np.isnan(success[i]) else bool(success[i] >= params.threshold)
        rewards[-1] += params.bonus if solved else 0.0
        return Row(rewards=rewards.tolist(), details={"solved": solved})

    return by_row(columns.size, compute_row)
