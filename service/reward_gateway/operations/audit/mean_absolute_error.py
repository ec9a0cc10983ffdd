"""Mean absolute error of predicted scores: RoboReward's benchmark metric."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, operation
from ..score.roboreward import SOURCE


class Item(OperationItem):
    predicted: list[float] = Field(description="Predicted scores, at least one.")
    actual: list[float] = Field(description="Actual scores, one a prediction.")


@operation("audit", "mean_absolute_error", item=Item, source=SOURCE, fidelity="verified")
def mean_absolute_error(columns: Columns, _: object) -> Outcome:
    """Mean absolute error of predicted against actual scores.

    mean_i |predicted_i − actual_i|; on RoboReward's scale of 1 to 5. Unequal lengths, or none, are an item error.
    Details: `count`, `exact` (share of predictions that are right).
    """
    predicted, actual = columns.vectors("predicted"), columns.vectors("actual")

    def compute_row(i: int) -> Row:
        p, a = predicted[i], actual[i]
        if p is None or a is None or len(p) != len(a) or not len(p):
            raise ItemError("predicted and actual must be of one length, at least 1")
        errors = np.abs(p - a)
        return Row(reward=float(errors.mean()), details={"count": len(p), "exact": float((errors == 0).mean())})

    return by_row(columns.size, compute_row)
