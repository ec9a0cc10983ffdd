"""Accuracy of a reward model on preference pairs, by pair and by question (MM-RLHF's Acc and Acc+)."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..members import column, entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, operation
from ..transform.mmrlhf_beta import SOURCE


class Pair(OperationItem):
    margin: float = Field(description="r_chosen − r_rejected; right if above 0.")
    id: str | None = Field(
        None, description="Question of the pair, for Acc+. If omitted: the pair is a question of its own."
    )


class Item(OperationItem):
    pairs: list[Pair] = Field(description="Preference pairs, at least one.")


@operation("audit", "pair_accuracy", item=Item, source=SOURCE, fidelity="second-hand")
def pair_accuracy(columns: Columns, _: object) -> Outcome:
    """Share of preference pairs that a reward model ranks right, and of questions whose pairs are all right.

    A pair is right if its margin r_chosen − r_rejected is above 0; a tie is not. The reward is Acc, over pairs;
    `details.accuracy_plus` is Acc+, over ids: an id counts only if all its pairs are right (a pair without an id is
    its own). Details: `pairs`, `ids`. No pairs: an item error.
    """
    pairs = columns.objects("pairs")

    def compute_row(i: int) -> Row:
        if not len(pairs[i]):
            raise ItemError("there are no pairs", param="pairs")
        right = column(pairs[i], "margin") > 0
        by_id: dict[object, bool] = {}
        for place, pair in enumerate(pairs[i]):
            name = entry(pair, "id", place)
            by_id[name] = by_id.get(name, True) and bool(right[place])
        plus = float(np.mean(list(by_id.values())))
        details = {"accuracy_plus": plus, "pairs": len(right), "ids": len(by_id)}
        return Row(reward=float(right.mean()), details=details)

    return by_row(columns.size, compute_row)
