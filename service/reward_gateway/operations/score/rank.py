"""Best-of-N: candidates ranked by their scores."""

import numpy as np
from pydantic import Field
from scipy.special import expit

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, Source, operation

SOURCE = Source("InternLM-XComposer2.5-Reward", "https://arxiv.org/abs/2501.12368")


class Item(OperationItem):
    scores: list[float] = Field(description="Scores of the candidates, at least one; higher is better.")


def best_other(scores: FloatArray) -> FloatArray:
    """[n] the greatest score among the others, n ≥ 2."""
    order = np.argsort(-scores, kind="stable")
    best = np.full(len(scores), scores[order[0]])
    best[order[0]] = scores[order[1]]
    return best


@operation(
    "score",
    "rank",
    item=Item,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    grouped=True,
    cost=Cost(row=60.0, unit=0.5, square=0.001),
)
def rank(columns: Columns, _: object) -> Outcome:
    """Rank of each of N candidates by score, 0 the best.

    `rewards` are ranks; equal scores keep their order. Details: `order` (candidates from best to worst), `best`, and
    `win_probability`, the Bradley–Terry probability σ(s_i − max of the others) of beating the best other candidate
    (1 for a candidate alone). No candidates: an item error.
    """
    groups = columns.vectors("scores")

    def compute_row(i: int) -> Row:
        scores = groups[i]
        if scores is None or not len(scores):
            raise ItemError("there are no candidates to rank", param="scores")
        order = np.argsort(-scores, kind="stable")
        ranks = np.empty(len(scores), dtype=np.intp)
        ranks[order] = np.arange(len(scores))
        wins = expit(scores - best_other(scores)) if len(scores) > 1 else np.ones(1)
        return Row(
            rewards=ranks.tolist(),
            details={"order": order.tolist(), "best": int(order[0]), "win_probability": wins.tolist()},
        )

    return by_row(columns.size, compute_row)
