"""OPRL (iStar): implicit step rewards from two sets of log-probabilities, and advantages on two levels."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..members import column, entry
from ..numerics import softplus, standardized
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Agentic Reinforcement Learning with Implicit Step Rewards (OPRL / iStar)", "https://arxiv.org/abs/2509.19199"
)


class Params(OperationParams):
    beta: float = Field(0.05, description="Scale of the step rewards (recalled).")
    alpha: float = Field(1.0, description="Weight of the step level in the advantage (recalled).")


class Trajectory(OperationItem):
    outcome: float = Field(description="Reward of the whole trajectory.")
    logp_prm: list[float] = Field(description="Per step, the summed log-probability of the action under the PRM.")
    logp_old: list[float] = Field(description="The same under the policy before the update.")


class Item(OperationItem):
    trajectories: list[Trajectory] = Field(description="All trajectories of one prompt.")


def preference_loss(outcomes: FloatArray, totals: FloatArray) -> float | None:
    """Mean of -log σ(R⁺ - R⁻) over pairs of a better and a worse outcome; None without such a pair."""
    better, worse = np.nonzero(outcomes[:, None] > outcomes[None, :])
    return float(softplus(totals[worse] - totals[better]).mean()) if len(better) else None


@operation("credit", "oprl", item=Item, params=Params, source=SOURCE, fidelity="second-hand", returns="vector")
def oprl(columns: Columns, params: Params) -> Outcome:
    """Implicit step rewards of a group of trajectories, with advantages of episode and step together.

    r(a_t) = β · (log π_φ(a_t) − log π_old(a_t)), β = .05, the sums running over action tokens only and both models
    sharing the tokeniser. A^E(τ) = (outcome − mean) / std over the group's trajectories; A^S(a) = (r − mean) / std
    over all step rewards of the group; A = A^E + α · A^S, α = 1. Standard deviations are of the population. Levels
    are merged as advantages, not as rewards.

    Equal values (std 0) give 0, so a group of one trajectory has A^E = 0. Lists of unequal length: the item's error. A
    trajectory without steps has no rewards.

    `rewards`: r, one list a trajectory. Details: `advantage` (likewise), `episode_advantage` (a trajectory),
    `prm_loss` = mean −log σ(Σ r(τ⁺) − Σ r(τ⁻)) over the pairs with outcome⁺ > outcome⁻ (null without one).
    """
    groups = columns.objects("trajectories")

    def answer(i: int) -> Row:
        outcomes = column(groups[i], "outcome")
        steps = [_steps(member, k, params.beta) for k, member in enumerate(groups[i])]
        episode = standardized(outcomes)
        pooled = standardized(np.concatenate([*steps, np.empty(0)]))
        levels = np.split(pooled, np.cumsum([len(step) for step in steps]))[: len(steps)]
        totals = np.array([step.sum() for step in steps])
        return Row(
            rewards=steps,
            details={
                "advantage": [e + params.alpha * level for e, level in zip(episode, levels, strict=True)],
                "episode_advantage": episode,
                "prm_loss": preference_loss(outcomes, totals),
            },
        )

    return by_row(columns.size, answer)


def _steps(member: object, place: int, beta: float) -> FloatArray:
    ours = np.asarray(entry(member, "logp_prm", []), dtype=np.float64)
    old = np.asarray(entry(member, "logp_old", []), dtype=np.float64)
    if len(ours) != len(old):
        raise ItemError(f"trajectories[{place}] has {len(ours)} logp_prm and {len(old)} logp_old; give one each a step")
    return np.asarray(beta * (ours - old))
