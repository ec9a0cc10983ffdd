"""Potential-based reward shaping, one transition at a time."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..combine.barfi import SOURCE
from ..costs import CHEAP
from ..outcome import Outcome
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    gamma: float = Field(1.0, ge=0, le=1, description="Discount; it must be the trainer's own.")


class Item(OperationItem):
    reward: float = Field(description="Reward of the transition.")
    phi_s: float = Field(description="Potential Φ(s) of the state before it.")
    phi_next: float | None = Field(None, description="Potential Φ(s') of the state after it; needed unless `done`.")
    done: bool | float = Field(description="Whether s' is terminal: its potential then counts as 0.")


@operation("transform", "pbrs", item=Item, params=Params, source=SOURCE, fidelity="recalled", cost=CHEAP)
def pbrs(columns: Columns, params: Params) -> Outcome:
    """Potential-based shaping of one transition: r + γ·Φ(s') − Φ(s).

    `done` is needed: a terminal s' has potential 0 whatever `phi_next` says, or the optimal policy would change. A
    transition that goes on needs `phi_next`. γ = 1 unless given. Details: `shaping` = γ·Φ(s') − Φ(s).
    """
    done = columns.floats("done") > 0
    following = np.where(done, 0.0, columns.floats("phi_next"))
    shaping = params.gamma * following - columns.floats("phi_s")
    reason = Invalid("missing_field", "a transition that is not done needs phi_next", param="phi_next")
    return Outcome(
        reward=columns.floats("reward") + shaping,
        details={"shaping": shaping.tolist()},
        invalid=dict.fromkeys(np.flatnonzero(np.isnan(following)).tolist(), reason),
    )
