"""Generalised advantage estimation over the turns of an agent."""

from typing import Any

import numpy as np
from pydantic import Field, create_model

from ..columns import Columns
from ..numerics import require_finite, return_to_go
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "High-Dimensional Continuous Control Using Generalized Advantage Estimation", "https://arxiv.org/abs/1506.02438"
)

# "lambda" is a keyword of the language, so that the class cannot be written out.
_FIELDS: dict[str, Any] = {
    "gamma": (float, Field(1.0, ge=0, le=1, description="Discount per turn.")),
    "lambda": (float, Field(0.95, ge=0, le=1, description="Weight of later turns: 0 the next value, 1 all rewards.")),
}
Params = create_model("Params", __base__=OperationParams, **_FIELDS)


class Item(OperationItem):
    turn_rewards: list[float] = Field(description="The reward of each turn.")
    values: list[float] = Field(
        description="The critic's value before each turn, and after the last: 0 there, unless the episode was cut off."
    )


@operation(
    "credit",
    "turn_gae",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    turn_fields={"turn_rewards": 0, "values": 1},
)
def turn_gae(columns: Columns, params: Any) -> Outcome:
    """Advantages of an agent's turns from a critic's values of the states between them (GAE by turn).

    δ_t = r_t + γ V_(t+1) − V_t; A_t = δ_t + γλ A_(t+1), γ = 1, λ = .95. A turn is one step: values inside a turn, token
    by token, play no part. With λ = 1 and γ = 1 the advantage is what is still to come, less V_t; with λ = 0 it is δ.

    `values` holds one more than `turn_rewards`; any other number is an item error. The last one is 0 where the episode
    ended, and the critic's value where it was cut off. No turns: no advantages. Numbers that run over: an item error.

    `rewards`: A. Details: `returns`, A_t + V_t, which a critic is trained on; `deltas`, δ.
    """
    rewards, values = columns.vectors("turn_rewards"), columns.vectors("values")

    def compute_row(i: int) -> Row:
        r, v = rewards[i], values[i]
        if r is None or v is None or len(v) != len(r) + 1:
            given = f"{0 if r is None else len(r)} turns and {0 if v is None else len(v)} values"
            raise ItemError(f"there are {given}: give one more value than turns, the last after the end", "values")
        gamma, lam = dict(params)["gamma"], dict(params)["lambda"]
        deltas = require_finite(r + gamma * v[1:] - v[:-1], "values")
        advantages = require_finite(return_to_go(deltas, gamma * lam), "values")
        return Row(rewards=advantages, details={"returns": advantages + v[:-1], "deltas": np.asarray(deltas)})

    return by_row(columns.size, compute_row)
