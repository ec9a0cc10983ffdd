"""VeRPO: dense advantages from which tests each turn passes, weighted by how hard and how rare the tests are."""

from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..members import entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("VeRPO", "https://arxiv.org/abs/2601.03525")


class Params(OperationParams):
    alpha: float = Field(description="How much more a hard test weighs.")
    sigma: float = Field(gt=0, description="Width of the difficulty density.")
    delta: float = Field(ge=0, description="Added to the density.")
    beta: float = Field(description="Weight of the turn advantage.")
    gamma: float = Field(gt=0, le=1, description="Discount of success for each turn it took.")


class Rollout(OperationItem):
    turn_pass: list[list[float | bool]] = Field(
        description="Whether each turn passes each test, [turns][tests]; as many tests in every turn."
    )
    success: bool | float | None = Field(
        None, description="Whether the rollout succeeds. If omitted: whether its last turn passes all tests."
    )


class Item(OperationItem):
    group: list[Rollout] = Field(description="Rollouts of one coding prompt, on the same tests.")


@operation(
    "credit",
    "verpo",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    turn_fields={},
    grouped=True,
    compares="group",
    cost=Cost(row=100.0, unit=0.3, square=0.02),
)
def verpo(columns: Columns, params: Params) -> Outcome:
    """Advantage of every turn of every rollout of a coding prompt.

    With p_j ∈ {0, 1} whether a turn passes test j: ρ_j is the test's mean pass rate over all turns of the group,
    N_j = Σ_k exp(−(ρ_j − ρ_k)² / 2σ²) the density of tests of that difficulty, w_j = exp(−α·ρ_j) / (N_j + δ).
    R_turn = Σ_j w_j p_j; R_traj = success · γ^turns; A = (R_traj − mean over rollouts) + β·(R_turn − mean over all
    turns). Nothing is divided by a std. The paper's values of α, σ, δ, β, γ are not public, so all five are asked for.

    `success` is, unless given, whether the last turn passes all tests. Weights depend on the group: do not compare
    across prompts. No tests, no turns, or turns with unequal numbers of tests are an item error. `rewards`: a list
    of turns a rollout. Details: `pass_rates`, `density`, `weights`, `turn_rewards`, `trajectory_advantages`.
    """
    groups = columns.objects("group")

    def compute_row(i: int) -> Row:
        turns = [_read_turns(rollout) for rollout in groups[i]]
        everything = [turn for rollout in turns for turn in rollout]
        if not everything:
            raise ItemError("the group has no turns", param="group")
        if len({len(turn) for turn in everything}) > 1 or not len(everything[0]):
            raise ItemError("every turn must have the same tests, and at least one", param="group")
        passes = np.stack(everything)
        rates = passes.mean(axis=0)
        density = np.exp(-((rates[:, None] - rates[None, :]) ** 2) / (2 * params.sigma**2)).sum(axis=1)
        weights = np.exp(-params.alpha * rates) / (density + params.delta)
        turn_rewards = passes @ weights
        success = np.array([_read_success(rollout, own) for rollout, own in zip(groups[i], turns, strict=True)])
        outcomes = success * np.array([params.gamma ** len(own) for own in turns])
        trajectory = _centre(outcomes)
        spread = _centre(turn_rewards)
        ends = np.cumsum([len(own) for own in turns])
        advantages = [
            (trajectory[g] + params.beta * spread[end - len(own) : end]).tolist()
            for g, (own, end) in enumerate(zip(turns, ends, strict=True))
        ]
        return Row(
            rewards=advantages,
            details={
                "pass_rates": rates.tolist(),
                "density": density.tolist(),
                "weights": weights.tolist(),
                "turn_rewards": turn_rewards.tolist(),
                "trajectory_advantages": trajectory.tolist(),
            },
        )

    return by_row(columns.size, compute_row)


def _read_turns(rollout: Any) -> list[FloatArray]:
    turns = [np.asarray(turn, dtype=np.float64) for turn in entry(rollout, "turn_pass", ())]
    if any(((turn != 0) & (turn != 1)).any() for turn in turns):
        raise ItemError("turn_pass holds 0 or 1 for every test", param="group")
    return turns


def _read_success(rollout: Any, turns: list[FloatArray]) -> float:
    given = entry(rollout, "success")
    return float(given) if given is not None else float(bool(turns) and bool(turns[-1].all()))


def _centre(values: FloatArray) -> FloatArray:
    """Deviations from the mean; exactly 0 where all are equal."""
    shifted = values - values[0]
    return np.asarray(shifted - shifted.mean())
