"""Normalise by median and median absolute deviation, which a few wild rewards do not move."""

from typing import Literal

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..groups import EPS, Groups
from ..outcome import Outcome, invalid_field
from ..registry import Comparison, OperationItem, OperationParams, operation
from ..robust_groups import robust_zscore


class Params(OperationParams):
    over: Literal["group", "batch"] = Field("group", description="Compared with its group, or with the whole request.")
    eps: float = Field(EPS, ge=0, description="Added to the spread.")


class Item(OperationItem):
    reward: float = Field(description="Reward to compare.")
    group: str | None = Field(None, description="Items of one group are compared; not needed with `over: batch`.")


def find_comparison(params: Params) -> Comparison:
    """With what an item is compared."""
    return "group" if params.over == "group" else "request"


@operation("transform", "robust_scale", item=Item, params=Params, grouped=True, compares=find_comparison)
def robust_scale(columns: Columns, params: Params) -> Outcome:
    """Subtract the median and divide by the median absolute deviation, of the group or of the request.

    r' = (r − median) / (1.4826 · MAD + eps), MAD = median |r − median|; 1.4826 makes it the standard deviation where
    rewards are normal. One wild reward moves neither, where it would set the scale of a z-score.

    Where half of the members or more are equal, the MAD is 0; then 1.2533 times the mean absolute deviation from the
    median takes its place, so that those that differ still do (as in the modified z-score of Iglewicz and Hoaglin). A
    group of members that are all equal gives 0.

    `over: batch` compares all valid items of the request. An item that could not be scored is no member of its group.
    A group of one gives 0, with `single: true` in the details; a recipe refuses it as `group_of_one`, unless it says
    `group: {single: raw}` or `{single: zero}`. Shifting all rewards changes nothing, nor does scaling them (eps aside).

    Details: `median`, `spread` (what is divided by, without eps), `single`.
    """
    rewards, names = columns.floats("reward"), columns.objects("group")
    by_group = params.over == "group"
    outcome = Outcome()
    if by_group:
        missing = invalid_field("group: missing", "group")
        outcome.invalid = {row: missing for row, name in enumerate(names) if name is None}
        rewards = np.where([name is None for name in names], np.nan, rewards)
    members = Groups.of(names) if by_group else Groups.one(columns.size)
    outcome.reward, found = robust_zscore(rewards, members, eps=params.eps)
    outcome.details = {
        "median": [value if np.isfinite(value) else None for value in found.median.tolist()],
        "spread": [value if np.isfinite(value) else None for value in found.spread.tolist()],
        "single": [True if size == 1 else None for size in found.sizes.tolist()],
    }
    return outcome
