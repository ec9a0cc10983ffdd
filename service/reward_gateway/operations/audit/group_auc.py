"""Which groups a scorer serves badly: ranking quality and sparsity a group, and who should get the expensive scorer."""

from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..members import entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Efficient and Responsible Adaptation of Large Language Models for Robust Top-k Recommendations",
    "https://arxiv.org/abs/2405.00824",
)


class Params(OperationParams):
    n_items: int | None = Field(None, ge=1, description="Items in all; without it there is no sparsity.")
    t_p: float = Field(0.5, ge=0, le=1, description="AUC at or below which a group is badly served (our default).")
    t_s: float | None = Field(None, description="Sparsity above which it is inactive; the mean sparsity if not given.")
    min_size: int = Field(1, ge=1, description="Groups with fewer scores are marked insufficient.")


class Group(OperationItem):
    pos: list[float] = Field(description="The scorer's scores of the group's relevant items; none: no AUC.")
    neg: list[float] = Field(description="Its scores of the irrelevant items; none: no AUC.")
    n_rated: int | None = Field(
        None, description="Items that the group has rated, 0 to n_items. If omitted: its sparsity is null."
    )


class Item(OperationItem):
    groups: dict[str, Group] = Field(description="Relevant and irrelevant scores of every group, by the group's name.")


def auc(relevant: FloatArray, irrelevant: FloatArray) -> float | None:
    """Share of pairs that are ranked right, ties counting half; None where there are no pairs."""
    from scipy.stats import rankdata  # slow to import, and asked for by audits alone

    p, n = len(relevant), len(irrelevant)
    if not p or not n:
        return None
    ranks = rankdata(np.concatenate([relevant, irrelevant]))
    return float((ranks[:p].sum() - p * (p + 1) / 2) / (p * n))


@operation(
    "audit",
    "group_auc",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    cost=Cost(row=60.0, unit=0.5, square=0.001),
)
def group_auc(columns: Columns, params: Params) -> Outcome:
    """Ranking quality of a scorer for each group, and the groups that it serves badly.

    AUC = mean over (relevant i, irrelevant j) of 1[s_i > s_j] + ½·1[s_i = s_j], null (not ½) without one of either;
    sparsity = 1 − n_rated / n_items. A group is weak if AUC ≤ t_p (.5) and sparsity > t_s (the mean sparsity of the
    groups unless given; both thresholds are our defaults): route `expensive`; all others `cheap`.

    `rewards` are the AUCs in the order of the groups and the reward is their mean (an item without any AUC has an
    error). Details: `groups`, by name `auc`, `sparsity`, `weak`, `route`, `insufficient`; `weak`, the names.
    """
    given = columns.objects("groups")

    def compute_row(i: int) -> Row:
        if not len(given[i]):
            raise ItemError("there are no groups", param="groups")
        rows: dict[str, dict[str, Any]] = {
            name: _summarise_group(name, group, params) for name, group in given[i].items()
        }
        known = [row["sparsity"] for row in rows.values() if row["sparsity"] is not None]
        threshold = params.t_s if params.t_s is not None else float(np.mean(known)) if known else None
        for row in rows.values():
            sparse = row["sparsity"] is not None and threshold is not None and row["sparsity"] > threshold
            row["weak"] = bool(row["auc"] is not None and row["auc"] <= params.t_p and sparse)
            row["route"] = "expensive" if row["weak"] else "cheap"
        aucs = [row["auc"] for row in rows.values()]
        defined = [value for value in aucs if value is not None]
        if not defined:
            raise ItemError("no group has both relevant and irrelevant scores", param="groups")
        weak = [name for name, row in rows.items() if row["weak"]]
        return Row(
            reward=float(np.mean(defined)), rewards=aucs, details={"groups": rows, "weak": weak, "t_s": threshold}
        )

    return by_row(columns.size, compute_row)


def _summarise_group(name: str, group: Any, params: Params) -> dict[str, Any]:
    pos, neg = (np.asarray(entry(group, side, ()), dtype=np.float64) for side in ("pos", "neg"))
    rated = entry(group, "n_rated")
    if rated is not None and params.n_items is not None and not 0 <= rated <= params.n_items:
        raise ItemError(f"the group {name!r} has n_rated outside 0 to n_items", param=f"groups.{name}.n_rated")
    sparsity = 1.0 - rated / params.n_items if rated is not None and params.n_items is not None else None
    return {"auc": auc(pos, neg), "sparsity": sparsity, "insufficient": len(pos) + len(neg) < params.min_size}
