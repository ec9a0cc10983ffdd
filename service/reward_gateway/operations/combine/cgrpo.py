"""C-GRPO: rubric rewards within a group, paid on top of right answers only."""

from typing import Literal

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..members import column
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation
from ..score.carr import SOURCE


class Params(OperationParams):
    alpha: float = Field(0.3, ge=0, le=1, description="Weight of the rubrics.")
    variant: Literal["paper", "released", "rubric_only_negative"] = Field(
        "paper", description="paper normalises by the group's best rubric reward; the released code does not."
    )


class Member(OperationItem):
    outcome: float | bool = Field(description="Outcome reward R_o, 1 for a right answer and 0 for a wrong one.")
    rubric: float = Field(description="Rubric reward R_r, at least 0.")


class Item(OperationItem):
    group: list[Member] = Field(description="All rollouts of one prompt.")


@operation(
    "combine",
    "cgrpo",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="recalled",
    returns="vector",
    grouped=True,
    compares="group",
)
def cgrpo(columns: Columns, params: Params) -> Outcome:
    """Outcome plus the rubric reward of right answers, relative to the best of the group.

    - `paper` (default, recalled): R = (1 − α) · R_o + α · R_o · R_r / max over the group of R_r, α = .3; a maximum of 0
      leaves the second term 0
    - `released` (verified): R_o = 0 gives 0, else (1 − α) · R_o + α · R_r, not normalised, whatever the flag's name
      says
    - `rubric_only_negative` (verified, another flag): R_o if it is above 0, else α · R_r

    A rubric reward below 0 is an item error. An empty group has no rewards.
    """
    groups = columns.objects("group")

    def compute_row(i: int) -> Row:
        outcome, rubric = column(groups[i], "outcome"), column(groups[i], "rubric")
        if bool((rubric < 0).any()):
            raise ItemError("a rubric reward is 0 or more", param="group")
        match params.variant:
            case "paper":
                best = rubric.max(initial=0.0)
                share = rubric / best if best > 0 else np.zeros(len(rubric))
                rewards = (1 - params.alpha) * outcome + params.alpha * outcome * share
            case "released":
                rewards = np.where(outcome == 0, 0.0, (1 - params.alpha) * outcome + params.alpha * rubric)
            case "rubric_only_negative":
                rewards = np.where(outcome > 0, outcome, params.alpha * rubric)
        return Row(rewards=rewards)

    return by_row(columns.size, compute_row)
