"""GiGPO: a step is worth what it adds to its episode, beside the other steps that were taken from the same state."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from reward_gateway.sample import FloatArray, canonical_json

from ..columns import Columns
from ..groups import EPS, Groups, advantages
from ..members import column, entry
from ..numerics import require_finite, return_to_go, split_as
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Group-in-Group Policy Optimization for LLM Agent Training (GiGPO)", "https://arxiv.org/abs/2505.10978")

_EXACT = 2**53
"""Whole floats up to here are the integers that they stand for."""


class Params(OperationParams):
    gamma: float = Field(0.95, ge=0, le=1, description="Discount of the returns that steps are compared by.")
    omega: float = Field(1.0, description="Weight of the step level in the advantage.")
    norm: Literal["std", "mean"] = Field(
        "std",
        description="std: (x − mean) / (std + eps), on both levels; mean: x − mean, with which the authors train.",
    )
    variant: Literal["paper", "released"] = Field(
        "paper", description="Over what outcomes are averaged. paper: the trajectories; released: all their steps."
    )
    eps: float = Field(EPS, ge=0, description="Added to standard deviations.")


def _refuse_unknown(state: Any) -> Any:
    if state is None:
        raise ValueError("a state that is not known can be compared with none: give what the agent saw")
    return state


class Step(OperationItem):
    state: Any = Field(description="What the agent saw before it acted: any JSON, a text for example.")
    reward: float = Field(description="Reward of this step alone; 0 where only the end is rewarded.")

    @field_validator("state")
    @classmethod
    def _check_state(cls, state: Any) -> Any:
        return _refuse_unknown(state)


class Trajectory(OperationItem):
    outcome: float = Field(description="Reward of the whole trajectory.")
    steps: list[Step] | None = Field(None, description="Its steps in their order.")
    states: list[Any] | None = Field(
        None, description="In place of steps: the state before each, for recipes as a number or a list of numbers."
    )
    step_rewards: list[float] | None = Field(None, description="With states: the reward of each step.")

    @field_validator("states")
    @classmethod
    def _check_states(cls, states: list[Any] | None) -> list[Any] | None:
        return states and [_refuse_unknown(state) for state in states]

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        if self.steps is None and (self.states is None or self.step_rewards is None):
            raise ValueError("give steps, or states and step_rewards")
        if self.steps is None and len(self.states or ()) != len(self.step_rewards or ()):
            given = f"{len(self.states or ())} states and {len(self.step_rewards or ())} step_rewards"
            raise ValueError(f"there are {given}: give one of each a step")
        return self


class Item(OperationItem):
    trajectories: list[Trajectory] = Field(description="All trajectories of one task.")


def identify(state: Any) -> str:
    """A state as canonical JSON: equal for equal states, whatever the order of keys; 1 and 1.0 are one number."""
    return canonical_json(_plain(state))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


@operation(
    "credit",
    "gigpo",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={"states": 0, "step_rewards": 0},
    grouped=True,
    compares="group",
)
def gigpo(columns: Columns, params: Params) -> Outcome:
    """Advantages of steps on two levels: of the episode in its group, and of the step among those from the same state.

    A = A^E + ω · A^S, ω = 1. A^E = (outcome − mean) / (std + eps) over the trajectories of the group, the same for all
    steps of one. A^S = the same of the discounted return G_t = Σ_(k ≥ t) γ^(k−t) r_k, γ = .95, over all steps of the
    group whose state is equal, also within one trajectory. Standard deviations are the sample's, eps = 1e-6. With
    `norm: mean` nothing is divided. With `variant: released` the mean and the deviation of outcomes are taken over all
    steps of the group, so that a long trajectory weighs more, as the authors' code does unless told otherwise.

    States are compared as canonical JSON: whole, keys in any order. A state that was seen once gives A^S = 0, and so do
    equal returns. The last step's return is its own reward, whether the episode ended there or was cut off. A
    trajectory without steps has no rewards, but its outcome counts in the group. Unlike `credit/oprl`, steps are never
    compared across states.

    Give `steps`; or `states` and `step_rewards`, two lists of one length, as recipes do, whose features are numbers. A
    state that is null, lists of unequal length or differences that run over: an item error. One trajectory alone has
    A^E = 0, where the authors' code gives its outcome, and `single: true` in the details.

    `rewards`: A, one list per trajectory. Details: `episode_advantage` (per trajectory), `step_advantage`, `returns`.
    """
    groups = columns.objects("trajectories")

    def compute_row(i: int) -> Row:
        outcomes = column(groups[i], "outcome")
        steps = [_read_steps(member, k) for k, member in enumerate(groups[i])]
        returns = [return_to_go(rewards, params.gamma) for _, rewards in steps]
        episode = _compare_outcomes(outcomes, returns, params)
        states = Groups.of([state for own, _ in steps for state in own])
        level = _compare(np.concatenate([*returns, np.empty(0)]), states, params)
        by_step = split_as(level, returns)
        rewards = [e + params.omega * own for e, own in zip(episode.tolist(), by_step, strict=True)]
        details = {"episode_advantage": episode, "step_advantage": by_step, "returns": returns}
        return Row(rewards=rewards, details=details)

    return by_row(columns.size, compute_row)


def _compare_outcomes(outcomes: FloatArray, steps: Sequence[FloatArray], params: Params) -> FloatArray:
    """A^E of each trajectory; NaN for one that is made of no step, where steps are what is averaged over."""
    if params.variant == "paper":
        return _compare(outcomes, Groups.one(len(outcomes)), params)
    by_step = np.repeat(outcomes, [len(own) for own in steps])
    compared = split_as(_compare(by_step, Groups.one(len(by_step)), params), steps)
    return np.array([own[0] if len(own) else np.nan for own in compared])


def _compare(values: FloatArray, groups: Groups, params: Params) -> FloatArray:
    scale: Literal["group_std", "none"] = "group_std" if params.norm == "std" else "none"
    return require_finite(advantages(values, groups, "mean", scale, eps=params.eps), "trajectories")


def _read_steps(member: object, place: int) -> tuple[Sequence[str], FloatArray]:
    """The states of a trajectory's steps and their rewards."""
    steps = entry(member, "steps")
    if steps is None:
        states, rewards = entry(member, "states"), entry(member, "step_rewards")
    else:
        states, rewards = [entry(step, "state") for step in steps], [entry(step, "reward") for step in steps]
    try:
        return [identify(state) for state in states], np.asarray(rewards, dtype=np.float64)
    except RecursionError:
        where = f"trajectories[{place}]"
        raise ItemError(f"a state of {where} is nested too deeply to be compared", param=where) from None
