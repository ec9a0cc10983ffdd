"""Which responses of a group to train on: those whose rewards differ most."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..group_rows import ROUNDING
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation


class Params(OperationParams):
    m: int = Field(ge=1, description="How many are kept.")


class Item(OperationItem):
    rewards: list[float] = Field(description="Rewards of a group's responses, in any unit; m of them or more.")


def count_lowest(ordered: FloatArray, m: int) -> int:
    """How many of the m kept are the lowest, the others being the highest, so that their variance is greatest.

    Of several such numbers the smallest; variances are equal within rounding.

    Args:
        ordered: [n] rewards, ascending, n at least m.
    """
    shifted = 0.5 * ordered - 0.5 * ordered[len(ordered) // 2]  # halves: the largest differences do not overflow
    scale = float(np.abs(shifted).max())
    if scale == 0.0:
        return 0
    sums = np.append(0.0, np.cumsum(shifted / scale))
    squares = np.append(0.0, np.cumsum((shifted / scale) ** 2))
    lowest = np.arange(m + 1)
    first_of_highest = len(ordered) - m + lowest
    total = sums[lowest] + (sums[-1] - sums[first_of_highest])
    total_squares = squares[lowest] + (squares[-1] - squares[first_of_highest])
    variances = total_squares / m - (total / m) ** 2
    return int(np.argmax(variances >= variances.max() - ROUNDING))


@operation(
    "audit",
    "max_variance_subset",
    item=Item,
    params=Params,
    source=Source(
        "Not All Rollouts are Useful: Down-Sampling Rollouts in LLM Reinforcement Learning (PODS)",
        "https://arxiv.org/abs/2504.13818",
    ),
    fidelity="second-hand",
    cost=Cost(row=100.0, unit=0.5),
)
def max_variance_subset(columns: Columns, params: Params) -> Outcome:
    """The m responses of a group whose rewards vary most, to train on them alone (PODS).

    These are always the k lowest and the m − k highest, for one k of 0 to m: sorted once, every k is tried with sums
    from both ends. reward = the greatest population variance. Ties: the smallest k, and of equal rewards those that
    come first.

    Details: `keep`, the places of the m in `rewards`, ascending. Fewer than m rewards: an item error. m = 1 keeps the
    highest, with a variance of 0; so does m of equal rewards keep the first m.
    """
    rewards = columns.vectors("rewards")

    def compute_row(i: int) -> Row:
        own = rewards[i]
        if own is None or len(own) < params.m:
            raise ItemError(f"there are {0 if own is None else len(own)} rewards for m = {params.m}", param="rewards")
        ascending = np.argsort(own, kind="stable")
        k = count_lowest(own[ascending], params.m)
        others = np.sort(ascending[k:])
        highest = others[np.argsort(-own[others], kind="stable")][: params.m - k]
        keep = np.sort(np.concatenate([ascending[:k], highest]))
        return Row(reward=float(own[keep].var()), details={"keep": keep.tolist()})

    return by_row(columns.size, compute_row)
