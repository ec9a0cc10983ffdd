"""Normalise a reward against its neighbours: the members of its group, or the whole request."""

from typing import Literal

from pydantic import Field

from reward_gateway.sample import FloatArray

from .. import groups
from ..columns import Columns
from ..costs import CHEAP
from ..groups import EPS, Groups
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

How = Literal["none", "mean", "zscore", "rloo", "rank", "minmax"]


class Item(OperationItem):
    reward: float = Field(description="Reward to compare with those of the request.")


class GroupItem(OperationItem):
    reward: float = Field(description="Reward to compare with those of its group.")
    group: str = Field(description="Items of one group, one prompt's responses for example, are compared.")


class ZscoreParams(OperationParams):
    eps: float = Field(EPS, ge=0, description="Added to the standard deviation. TRL adds 1e-4.")
    spread: Literal["population", "sample"] = Field("sample", description="Standard deviation with divisor n or n - 1.")


class GroupParams(ZscoreParams):
    how: How = Field("zscore", description="What is subtracted and what it is divided by.")


def normalise(values: FloatArray, members: Groups, params: GroupParams) -> FloatArray:
    """[n] values normalised within their groups, as ``params.how`` says."""
    match params.how:
        case "none":
            return values
        case "mean":
            return groups.centre(values, members)
        case "zscore":
            return groups.zscore(values, members, eps=params.eps, spread=params.spread)
        case "rloo":
            return groups.rloo(values, members)
        case "rank":
            return groups.rank(values, members)
        case "minmax":
            return groups.minmax(values, members)


@operation(
    "transform",
    "group_normalise",
    item=GroupItem,
    params=GroupParams,
    grouped=True,
    compares="group",
    source=Source("DeepSeekMath (GRPO)", "https://arxiv.org/abs/2402.03300"),
    fidelity="verified",
    cost=CHEAP,
)
def group_normalise(columns: Columns, params: GroupParams) -> Outcome:
    """Normalise within groups: the advantage of group-relative policy optimisation.

    | how | r' |
    |---|---|
    | mean | r - mean (as Dr. GRPO does) |
    | zscore | (r - mean) / (std + eps) (GRPO) |
    | rloo | r - mean of the others (leave one out; alone: 0) |
    | rank | place in the group from 0 to 1, ties averaged (alone: 0.5) |
    | minmax | (r - min) / (max - min) |
    | none | r |

    A group of equal members gives 0 (rank: 0.5). An item that could not be scored is no member of its group.
    eps is 1e-6; TRL adds 1e-4.

    A group of one gives 0 (rank: 0.5, none: r), with `single: true` in the details, where verl gives its raw reward (0
    in its vectorised RLOO). A recipe refuses it as `group_of_one`, unless it says `group: {single: raw}` (as verl) or
    `group: {single: zero}`.
    """
    names = columns.objects("group")
    outcome = Outcome(reward=normalise(columns.floats("reward"), Groups.of(names), params))
    outcome.invalid = {row: invalid_field("group: missing", "group") for row, name in enumerate(names) if name is None}
    return outcome


@operation("transform", "zscore", item=Item, params=ZscoreParams, grouped=True, compares="request", cost=CHEAP)
def zscore(columns: Columns, params: ZscoreParams) -> Outcome:
    """Z-score over the request.

    r' = (r - mean) / (std + eps) over all items of the request; equal items, and one alone, give 0. eps is
    1e-6; TRL adds 1e-4.
    """
    members = Groups.one(columns.size)
    return Outcome(reward=groups.zscore(columns.floats("reward"), members, eps=params.eps, spread=params.spread))


@operation("transform", "rank", item=Item, grouped=True, compares="request", cost=CHEAP)
def rank(columns: Columns, params: OperationParams) -> Outcome:
    """Place among the items of the request, in [0, 1].

    0 the lowest, 1 the highest, ties share their mean place; a single item gets 0.5.
    """
    return Outcome(reward=groups.rank(columns.floats("reward"), Groups.one(columns.size)))
