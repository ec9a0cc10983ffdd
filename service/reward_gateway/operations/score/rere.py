"""ReRe: ranking rewards for recommendation, in which a confident wrong item costs more."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Reinforced Preference Optimization for Recommendation (ReRe)", "https://arxiv.org/abs/2510.12211")


class Params(OperationParams):
    ranking: bool = Field(True, description="Add the ranking reward to the rule.")
    epsilon: float = Field(1e-4, ge=0, description="Added to the standard deviation of the advantage.")


class Item(OperationItem):
    candidates: list[str] = Field(
        description="Ranked candidates in the order of their generation, the best beam first; at least one."
    )
    target: str = Field(description="The right item.")


def plain(title: str) -> str:
    """A title without the newlines and quotes that generation leaves around it."""
    return title.strip("\n\r\"' ")


def ranking_penalties(size: int) -> FloatArray:
    """[size] −(1 / log2(i + 2)) as a share of the group's total, for beam rank i (0 is the best)."""
    discounts = 1.0 / np.log2(np.arange(size) + 2.0)
    return np.asarray(-discounts / discounts.sum())


def advantages(rewards: FloatArray, epsilon: float) -> FloatArray:
    """(r − mean) / (sample std + ε); a group of one has 0."""
    if len(rewards) < 2:
        return np.zeros(len(rewards))
    return np.asarray((rewards - rewards.mean()) / (rewards.std(ddof=1) + epsilon) if np.ptp(rewards) else rewards * 0)


@operation(
    "score",
    "rere",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    grouped=True,
)
def rere(columns: Columns, params: Params) -> Outcome:
    """Reward of each candidate of a ranked group: 1 for the target, a rank-weighted penalty for the others.

    rule_i = 1[item_i = target]. ranking: where the target is in the group, 0 for it and, for every other,
    −(1 / log2(i + 2)) / Σ_j 1 / log2(j + 2), i the beam rank (0 is best), j over the whole group; all 0 where the
    target is absent. `rewards` = rule + ranking (`ranking: false`: the rule alone).

    Candidates keep their generation order and are compared after newlines and quotes around them are stripped.
    Duplicates of the target each get 1. Details: `rule`, `ranking`, `advantage` = (r − mean) / (sample std + 1e-4),
    0 for a group of one. An empty group is an item error.
    """
    candidates, targets = columns.objects("candidates"), columns.objects("target")

    def compute_row(i: int) -> Row:
        if not len(candidates[i]):
            raise ItemError("the group has no candidates", param="candidates")
        target = plain(targets[i])
        hits = np.array([plain(candidate) == target for candidate in candidates[i]])
        rule = hits.astype(np.float64)
        penalties = np.where(hits, 0.0, ranking_penalties(len(hits))) if hits.any() else np.zeros(len(hits))
        rewards = rule + penalties if params.ranking else rule
        return Row(
            rewards=rewards.tolist(),
            details={
                "rule": rule.tolist(),
                "ranking": penalties.tolist(),
                "advantage": advantages(rewards, params.epsilon).tolist(),
            },
        )

    return by_row(columns.size, compute_row)
