"""MT-GRPO: a turn has an advantage of its own beside that of the outcome."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..groups import Groups, zscore
from ..members import column, entry
from ..numerics import require_finite, split_as
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Reinforcing Multi-Turn Reasoning in LLM Agents via Turn-Level Reward Design (MT-GRPO)",
    "https://arxiv.org/abs/2505.11821",
)


class Params(OperationParams):
    coef: float = Field(1.0, description="Weight of a turn's own advantage.")
    variant: Literal["paper", "released"] = Field(
        "paper", description="Where several turns are rewarded; see the text."
    )
    eps: float = Field(1e-4, ge=0, description="Added to standard deviations; the authors' own.")


class Trajectory(OperationItem):
    outcome: float = Field(description="Reward of the whole trajectory.")
    turn_rewards: list[float] = Field(description="The reward of each turn of the policy's, the last one included.")


class Item(OperationItem):
    trajectories: list[Trajectory] = Field(description="All trajectories of one prompt.")


@operation(
    "credit",
    "mt_grpo",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={"turn_rewards": 0},
    grouped=True,
    compares="group",
)
def mt_grpo(columns: Columns, params: Params) -> Outcome:
    """Advantages of turns: that of the outcome, and for every turn but the last its own in addition (MT-GRPO).

    A^O = (outcome − mean) / (std + eps) over the group's trajectories; A^T_t likewise of the rewards of turn t over the
    trajectories that have one. Standard deviations are the sample's, eps = 1e-4. Equal values give 0.

    - `paper` (default): the last turn gets A^O, every earlier one A^O + coef · A^T_t, coef = 1. The paper has two
      turns; that every turn is compared with those of the same number is our design.
    - `released`: as the authors' code, which knows two parts, before the result of the tool and after it. The first
      turn gets A^O + coef · A^T_1, all others A^O. A trajectory of one turn has called no tool: it gets the z-score of
      outcome + turn reward over the group, whatever coef is. All trajectories need a turn here.

    The reward of the last turn counts only in the comparison with the others' turns of that number. A trajectory
    without turns has no rewards, but its outcome counts. One trajectory alone gets 0 throughout, and `single: true` in
    the details. Differences that run over: an item error.

    `rewards`: one list per trajectory, one entry a turn. Details: `outcome_advantage` (per trajectory),
    `turn_advantage` (A^T, likewise in lists).
    """
    groups = columns.objects("trajectories")

    def compute_row(i: int) -> Row:
        outcomes = column(groups[i], "outcome")
        turns = [np.asarray(entry(member, "turn_rewards", []), dtype=np.float64) for member in groups[i]]
        places = Groups.of([place for own in turns for place in range(len(own))])
        of_turns = split_as(_compare(np.concatenate([*turns, np.empty(0)]), places, params), turns)
        everyone = Groups.one(len(outcomes))
        of_outcomes = _compare(outcomes, everyone, params)
        if params.variant == "paper":
            rewards = [_add_turns(o, own, len(own) - 1, params) for o, own in zip(of_outcomes, of_turns, strict=True)]
        else:
            combined = _compare(outcomes + _read_first(turns), everyone, params)
            rewards = [
                np.array([c]) if len(own) == 1 else _add_turns(o, own, 1, params)
                for o, c, own in zip(of_outcomes, combined, of_turns, strict=True)
            ]
        details: dict[str, Any] = {"outcome_advantage": of_outcomes, "turn_advantage": of_turns}
        return Row(rewards=rewards, details=details)

    return by_row(columns.size, compute_row)


def _compare(values: FloatArray, groups: Groups, params: Params) -> FloatArray:
    return require_finite(zscore(values, groups, eps=params.eps), "trajectories")


def _add_turns(outcome: float, turns: FloatArray, number: int, params: Params) -> FloatArray:
    """The outcome's advantage for every turn, and their own for the first ``number`` of them."""
    return outcome + np.where(np.arange(len(turns)) < number, params.coef * turns, 0.0)


def _read_first(turns: Sequence[FloatArray]) -> FloatArray:
    for place, own in enumerate(turns):
        if not len(own):
            name = f"trajectories[{place}].turn_rewards"
            raise ItemError(f"{name} is empty, and the released variant compares the first turn of each", param=name)
    return np.array([own[0] for own in turns], dtype=np.float64)
