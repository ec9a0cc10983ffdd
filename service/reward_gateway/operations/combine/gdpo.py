"""Components normalised within their groups before they are weighted and summed."""

from typing import Literal

from pydantic import Field

from .. import groups
from ..columns import Columns
from ..costs import Cost
from ..group_rows import Spread
from ..groups import EPS, Groups
from ..names import ComponentName
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, Source, operation
from .weighted_sum import require


class Params(OperationParams):
    weights: dict[ComponentName, float] = Field(
        default_factory=dict, description="Component -> weight, 1 if not named."
    )
    variant: Literal["paper", "released"] = Field(
        "paper", description="paper: divides by the standard deviations. released: adds eps to each, as that code does."
    )
    eps: float = Field(EPS, ge=0, description="Added to each standard deviation (released); TRL adds 1e-4.")
    spread: Spread = Field("sample", description="Standard deviation with divisor n or n - 1.")
    batch: bool = Field(True, description="Whether the sums are z-scored over the request at the end.")


class Item(OperationItem):
    rewards: dict[str, float] = Field(
        description="Component rewards by name, the same names in all items of a request."
    )
    group: str = Field(description="Items of one group, one prompt's responses for example, are compared.")


@operation(
    "combine",
    "gdpo",
    item=Item,
    params=Params,
    grouped=True,
    compares="group",
    source=Source("GDPO: Group reward-Decoupled Normalization Policy Optimization", "https://arxiv.org/abs/2601.05242"),
    fidelity="verified",
    cost=Cost(unit=0.4),
)
def gdpo(columns: Columns, params: Params) -> Outcome:
    """Advantages of decoupled group normalisation: each component z-scored in its group, then summed.

    A = Σ_k w_k (r_k - mean_group(r_k)) / std_group(r_k);  A' = (A - mean_batch(A)) / std_batch(A). The variant
    `released` adds eps to each standard deviation. Members of a group that are equal give 0, and so do equal sums over
    the batch; numbers are equal within 1e-12 of the largest (of 1, if that is less), so that components that cancel
    each other leave no advantage out of rounding.

    Normalising the sum instead lets a component of large scale drown the others, and gives different
    combinations of rewards the same advantage. All items of a request have the same components: one that
    is missing, named by a weight or by a neighbour, is an item error.

    A group of one gives 0 for each component, with `single: true` in the details. A recipe refuses it as
    `group_of_one`, unless it says `group: {single: raw}` or `group: {single: zero}`.
    """
    table = columns.table("rewards")
    outcome = Outcome()
    for name in (*table, *params.weights):
        require(outcome, name, table.get(name, columns.floats("")))
    members = Groups.of(columns.objects("group"))
    outcome.reward = groups.gdpo(
        table,
        params.weights,
        members,
        eps=params.eps if params.variant == "released" else 0.0,
        spread=params.spread,
        batch=params.batch,
    )
    return outcome
