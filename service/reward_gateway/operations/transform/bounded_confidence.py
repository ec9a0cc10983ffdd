"""Bounded confidence: move a rating towards those of its neighbours that are near enough to be believed."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..group_rows import ROUNDING
from ..outcome import Outcome
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    mu: float = Field(0.5, ge=0, le=1, description="Share of the way towards the mean of the near ones.")
    epsilon: float = Field(0.2, ge=0, description="Ratings further away than this are ignored.")


class Item(OperationItem):
    reward: float = Field(description="The rating that moves.")
    friends: list[float] = Field(
        description="The other annotators' ratings, on the same scale; none: the rating stays."
    )


@operation("transform", "bounded_confidence", item=Item, params=Params, cost=CHEAP)
def bounded_confidence(columns: Columns, params: Params) -> Outcome:
    """Consensus smoothing: a rating moves towards the other ratings within its confidence radius.

    x' = x + μ · mean over {j: |x_j − x| ≤ ε} of (x_j − x), μ = .5, ε = .2, where x is `reward` and x_j are `friends`,
    the other annotators' ratings. The form is that of Deffuant and of Hegselmann and Krause, recalled; μ, ε and the
    use on annotators are this project's design, suggested by arXiv 2109.08021, which defines no reward.

    No rating within ε, or none at all: x is unchanged. x' stays between x and the ratings it moves to. Details:
    `neighbours`, how many counted.
    """
    rewards = columns.floats("reward")
    friends = Ragged.of_column(columns, "friends")
    gaps = friends.values - friends.spread(rewards)
    # A rating at the very edge counts, whatever the rounding of the difference.
    slack = ROUNDING * np.maximum(1.0, np.abs(friends.values))
    near = np.abs(gaps) <= params.epsilon + slack
    counts = np.bincount(friends.rows[near], minlength=columns.size)
    sums = friends.with_values(np.where(near, gaps, 0.0)).sum()
    moved = rewards + params.mu * sums / np.maximum(counts, 1)
    return Outcome(reward=moved, details={"neighbours": counts.tolist()})
