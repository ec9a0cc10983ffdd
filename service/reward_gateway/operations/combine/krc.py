"""Kinesthetic reward combination (Lucy-SKG): a geometric mean that every component has to earn."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome, invalid_field
from ..ragged import Ragged
from ..registry import OperationItem, Source, operation

SOURCE = Source(
    "Lucy-SKG: Learning to Play Rocket League Efficiently Using Deep RL", "https://arxiv.org/abs/2305.15801"
)


class Item(OperationItem):
    rewards: dict[str, float] | list[float] = Field(
        description="Component rewards in [−1, 1], clipped to it, by name or as a list; at least one."
    )


@operation("combine", "krc", item=Item, source=SOURCE, fidelity="verified", cost=CHEAP)
def krc(columns: Columns, _: object) -> Outcome:
    """Signed geometric mean of component rewards: high only where all of them are.

    R = s · (Π_i |R_i|)^(1/n), s = +1 if all R_i ≥ 0, else −1; so two negatives do not make a positive. Any component
    of 0 gives 0. Components lie in [−1, 1]; values outside are clipped to it and the item is flagged `clipped`.
    No components: error.
    """
    rewards = Ragged.of_column(columns, "rewards")
    bounded = np.clip(rewards.values, -1.0, 1.0)
    size = np.abs(bounded)
    logs = np.log(np.where(size > 0, size, 1.0))
    magnitude = np.exp(rewards.with_values(logs).mean())
    magnitude = np.where(rewards.any(size == 0), 0.0, magnitude)
    negative = rewards.any(bounded < 0) & (magnitude != 0)
    nan = rewards.any(np.isnan(rewards.values))
    reason = invalid_field("there are no rewards to combine", "rewards")
    return Outcome(
        reward=np.where(nan, np.nan, np.where(negative, -magnitude, magnitude)),
        invalid={int(row): reason for row in np.flatnonzero(rewards.empty)},
        flags={int(row): ("clipped",) for row in np.flatnonzero(rewards.any(bounded != rewards.values) & ~nan)},
    )
