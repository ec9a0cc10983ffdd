"""GTAlign: mutual welfare as a Nash (Cobb–Douglas) product of what each side gains."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..costs import CHEAP
from ..names import SelectedComponent
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "GTAlign: Game-Theoretic Alignment of LLM Assistants for Mutual Welfare", "https://arxiv.org/abs/2510.08872"
)


class Params(OperationParams):
    weights: dict[SelectedComponent, float] | None = Field(
        None, description="Exponent of each component. If omitted: 1/n each, the plain geometric mean."
    )

    @model_validator(mode="after")
    def _exponents_are_not_negative(self) -> Self:
        for name, weight in (self.weights or {}).items():
            if weight < 0:
                raise ValueError(f"the weight of {name!r} must be 0 or more")
        return self


class Item(OperationItem):
    rewards: dict[str, float] = Field(description="Components by name, 0 or more.")


@operation("combine", "geometric", item=Item, params=Params, source=SOURCE, fidelity="verified", cost=CHEAP)
def geometric(columns: Columns, params: Params) -> Outcome:
    """Weighted product of components: high only where all of them are.

    R = Π_i max(r_i, 0)^w_i. With weights .5 and .5 this is √(U · L), the mutual welfare of user and model; without
    weights, the geometric mean. Exponents are taken as they are, and are not made to sum to 1.

    A component below 0 counts as 0, and the product is then 0 (unless its weight is 0). A component that the weights
    name and the item lacks, or no component at all: an item error. Components without a weight are left out.
    Details: `clipped`, the names that were below 0.
    """
    table = columns.table("rewards")
    invalid: dict[int, Invalid] = {}
    if params.weights is not None:
        for name in params.weights:
            gone = np.isnan(table[name]) if name in table else np.ones(columns.size, dtype=bool)
            reason = Invalid("missing_field", f"the component {name!r} is missing", param=f"rewards.{name}")
            invalid |= dict.fromkeys(np.flatnonzero(gone).tolist(), reason)
        weights = {name: np.full(columns.size, weight) for name, weight in params.weights.items() if name in table}
    else:
        counts = np.zeros(columns.size)
        for values in table.values():
            counts += ~np.isnan(values)
        none = Invalid("missing_field", "rewards must name at least one component", param="rewards")
        invalid |= dict.fromkeys(np.flatnonzero(counts == 0).tolist(), none)
        weights = dict.fromkeys(table, 1.0 / np.maximum(counts, 1))
    product = np.ones(columns.size)
    clipped: list[list[str]] = [[] for _ in range(columns.size)]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for name, weight in weights.items():
            values = table[name]
            for row in np.flatnonzero(values < 0).tolist():
                clipped[row].append(name)
            # An item that lacks a component (only without weights) is not changed by it.
            product = product * np.where(np.isnan(values), 1.0, np.maximum(values, 0.0) ** weight)
    return Outcome(reward=product, details={"clipped": clipped}, invalid=invalid)
