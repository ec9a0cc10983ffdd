"""Potential-based shaping of a trajectory: denser rewards that leave the optimal policy as it is."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Reward Design for Reinforcement Learning Agents", "https://arxiv.org/abs/2503.21949")


class Params(OperationParams):
    gamma: float = Field(1.0, ge=0, le=1, description="Discount; it must be the trainer's own.")


class Item(OperationItem):
    rewards: list[float] = Field(description="Rewards of the trajectory, one per step.")
    potentials: list[float] = Field(
        description="Φ of every state, the one after the last step included: one more than `rewards`."
    )
    done: bool | float | None = Field(
        None, description="Whether the last state is terminal, so that its Φ counts as 0. If omitted: false."
    )


@operation(
    "credit",
    "potential_shaping",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={"rewards": 0, "potentials": 1},
)
def potential_shaping(columns: Columns, params: Params) -> Outcome:
    """Potential-based shaping of a trajectory: r_t + γ·Φ_(t+1) − Φ_t.

    `potentials` holds one more than `rewards`: Φ of every state, the one after the last step included. A terminal
    state has potential 0 (give 0, or `done: true`, which takes the last as 0); a trajectory that was cut off keeps
    the true Φ. It telescopes: Σ γ^t r'_t = Σ γ^t r_t + γ^T Φ_T − Φ_0. γ = 1 unless given; it must be the trainer's.
    Details: `shaping`, what was added a step.
    """
    rewards, potentials, done = columns.vectors("rewards"), columns.vectors("potentials"), columns.floats("done", 0.0)

    def compute_row(i: int) -> Row:
        r, phi = rewards[i], potentials[i]
        if r is None or phi is None or len(phi) != len(r) + 1:
            raise ItemError(
                f"{0 if r is None else len(r)} rewards need one more potential than that, "
                f"and there are {0 if phi is None else len(phi)}",
                param="potentials",
            )
        if done[i] > 0:
            phi = np.append(phi[:-1], 0.0)
        shaping = params.gamma * phi[1:] - phi[:-1]
        return Row(rewards=(r + shaping).tolist(), details={"shaping": shaping.tolist()})

    return by_row(columns.size, compute_row)
