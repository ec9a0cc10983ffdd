"""Has a penalty run away: the share of negative rewards, and whether one class takes all."""

from collections import Counter

from pydantic import Field

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    window: int | None = Field(None, ge=1, description="Only the last so many; all if not given.")
    threshold: float = Field(0.5, ge=0, le=1, description="The alarm rings above this share of negative rewards.")
    class_threshold: float = Field(0.95, ge=0, le=1, description="… or above this share of one predicted class.")


class Item(OperationItem):
    rewards: list[float] = Field(description="The last rewards, in any unit; at least one.")
    classes: list[str] | None = Field(
        None, description="The model's predicted class per reward. If omitted: no shares of classes."
    )


@operation("audit", "negative_fraction", item=Item, params=Params)
def negative_fraction(columns: Columns, params: Params) -> Outcome:
    """Share of negative rewards among the last ones.

    count(r < 0) / count; with `classes`, the model's predictions, also the share of each: a model that predicts one
    class always has collapsed. No rewards, or classes that are not one per reward: an item error. Details: `count`,
    `class_rates`, `alarm`.
    """
    rewards, classes = columns.vectors("rewards"), columns.objects("classes")

    def compute_row(i: int) -> Row:
        own, labels = rewards[i], classes[i]
        if own is None or not len(own):
            raise ItemError("there are no rewards", param="rewards")
        if labels is not None and len(labels) != len(own):
            raise ItemError("classes must be one a reward", param="classes")
        start = max(0, len(own) - params.window) if params.window else 0
        share = float((own[start:] < 0).mean())
        counts = Counter(labels[start:]) if labels is not None else Counter()
        rates = {name: count / counts.total() for name, count in counts.items()}
        alarm = share > params.threshold or max(rates.values(), default=0.0) > params.class_threshold
        details = {"count": len(own) - start, "class_rates": rates, "alarm": bool(alarm)}
        return Row(reward=share, details=details)

    return by_row(columns.size, compute_row)
