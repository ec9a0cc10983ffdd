"""Randomised return decomposition: the loss of a step-reward model on a sample of an episode's steps."""

from pydantic import ConfigDict, Field

from ..columns import Columns
from ..credit.lare import SOURCE
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, operation


class Item(OperationItem):
    model_config = ConfigDict(populate_by_name=True)

    sampled: list[float] = Field(description="Predicted rewards of K steps drawn at random.")
    length: int = Field(description="T, the steps of the episode.")
    return_: float = Field(alias="return", description="R, the return of the episode.")


@operation("audit", "rrd_loss", item=Item, source=SOURCE, fidelity="verified")
def rrd_loss(columns: Columns, _: object) -> Outcome:
    """Loss of predicted step rewards against an episode's return, from K of its T steps.

    reward = (mean of the sampled r̂ − R / T)². Details: `unbiased` = that − (1 − K/T) / K · Var, where Var is the
    sample variance of r̂ (divisor K − 1): what the draw itself adds in expectation. With K > T steps are drawn with
    replacement, and the factor is 1 / K. `variance`; both are null for K = 1, where it is undefined (0 and the loss
    itself where all T = 1 steps are drawn).

    No sampled steps, or T below 1: an item error.
    """
    sampled, lengths = columns.vectors("sampled"), columns.floats("length")
    returns = columns.floats("return_") if "return_" in columns else columns.floats("return")

    def compute_row(i: int) -> Row:
        steps, length = sampled[i], float(lengths[i])
        if steps is None or len(steps) == 0:
            raise ItemError("sampled must hold at least one step", param="sampled")
        if length < 1:
            raise ItemError("length counts the steps of the episode, and is 1 or more", param="length")
        k = len(steps)
        loss = float((steps.mean() - returns[i] / length) ** 2)
        variance = float(steps.var(ddof=1)) if k > 1 else 0.0 if length == 1 else None
        share = 1.0 - k / length if k <= length else 1.0
        unbiased = None if variance is None else loss - share / k * variance
        return Row(reward=loss, details={"unbiased": unbiased, "variance": variance})

    return by_row(columns.size, compute_row)
