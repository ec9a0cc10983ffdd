"""OPRL (iStar): implicit step rewards from two sets of log-probabilities, and advantages on two levels."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..effects import Effectful
from ..group_rows import ROUNDING
from ..groups import EPS
from ..hosted_logprobs import HostedLogprobs
from ..members import column, entry
from ..names import HostedModel
from ..numerics import softplus, split_as, standardized
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Agentic Reinforcement Learning with Implicit Step Rewards (OPRL / iStar)", "https://arxiv.org/abs/2509.19199"
)


class Params(OperationParams):
    beta: float = Field(0.05, description="Scale of the step rewards (recalled).")
    alpha: float = Field(1.0, description="Weight of the step level in the advantage (recalled).")
    estimator: Literal["paper", "rloo", "grpo_mean", "grpo_std"] = Field(
        "paper", description="Of the advantage; see the text. The authors' code trains with rloo."
    )
    eps: float = Field(EPS, ge=0, description="Added to the standard deviation (grpo_std).")
    model: HostedModel | None = Field(None, description="Hosted language model π_φ, where trajectories hold texts.")
    old: str | None = Field(None, description="Hosted language model π_old, likewise; of the same tokeniser.")


class Step(OperationItem):
    observation: str = Field("", description="What stands between the last action and this one; first: the prompt.")
    action: str = Field(description="What the policy wrote in this step; its tokens are scored.")


class Trajectory(OperationItem):
    outcome: float = Field(description="Reward of the whole trajectory.")
    logp_prm: list[float] | None = Field(
        None, description="Per step, the summed log-probability of the action under the PRM."
    )
    logp_old: list[float] | None = Field(None, description="The same under the policy before the update.")
    steps: list[Step] | None = Field(None, description="In place of both, the steps as texts.")


class Item(OperationItem):
    trajectories: list[Trajectory] = Field(description="All trajectories of one prompt.")


def preference_loss(outcomes: FloatArray, totals: FloatArray) -> float | None:
    """Mean of -log σ(R⁺ - R⁻) over pairs of a better and a worse outcome; None without such a pair."""
    better, worse = np.nonzero(outcomes[:, None] > outcomes[None, :])
    return float(softplus(totals[worse] - totals[better]).mean()) if len(better) else None


@operation(
    "credit",
    "oprl",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={},
    grouped=True,
    compares="group",
)
def oprl(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Implicit step rewards of a group of trajectories, with advantages of episode and step together.

    r(a_t) = β · (log π_φ(a_t) − log π_old(a_t)), β = .05, the sums running over action tokens only and both models
    sharing the tokeniser. A = A^E + α · A^S, α = 1: levels are merged as advantages, not as rewards. With `estimator`

    - `paper` (default): A^E(τ) = (outcome − mean) / std over the group's trajectories; A^S(a) = (r − mean) / std over
      all step rewards of the group. Standard deviations are of the population. As the paper has it; that code has no
      such estimator to compare it with
    - `rloo`, with which the authors' code trains: (x − mean) · n / (n − 1) of outcomes and of step rewards alike, n the
      number of trajectories; the mean of step rewards takes one step of each trajectory, its first, as that code does
    - `grpo_mean`: x − mean, of the same means
    - `grpo_std`: (x − mean) / (std + eps), std the sample's of what the mean takes

    Give both lists a trajectory; or `steps`, and two hosted language models, `model` and `old`, read every action after
    all that stands before it, joined as it stands.

    Equal values (std 0) give 0, so a group of one trajectory has A^E = 0, and but for `paper` A^S = 0, where that code
    answers the rewards as they are. Lists of unequal length: an item error. A trajectory without steps has no rewards.

    `rewards`: r, one list per trajectory. Details: `advantage` (likewise), `episode_advantage` (per trajectory),
    `prm_loss` = mean −log σ(Σ r(τ⁺) − Σ r(τ⁻)) over the pairs with outcome⁺ > outcome⁻ (null without one).
    """
    groups = columns.objects("trajectories")
    hosted = HostedLogprobs()
    texts = yield from _ask_log_probabilities(groups, params, hosted)

    def compute_row(i: int) -> Row:
        outcomes = column(groups[i], "outcome")
        steps = [params.beta * _compute_log_ratios(member, k, texts.get((i, k))) for k, member in enumerate(groups[i])]
        episode = np.concatenate([*_compare(list(outcomes[:, None]), params), np.empty(0)])
        levels = _compare(steps, params)
        totals = np.array([step.sum() for step in steps])
        return Row(
            rewards=steps,
            details={
                "advantage": [e + params.alpha * level for e, level in zip(episode, levels, strict=True)],
                "episode_advantage": episode,
                "prm_loss": preference_loss(outcomes, totals),
            },
        )

    return hosted.mark(by_row(columns.size, compute_row))


def _compare(values: Sequence[FloatArray], params: Params) -> list[FloatArray]:
    """Advantages of the values of trajectories (a list each) within their group, in the same shape."""
    if params.estimator == "paper":
        pooled = standardized(np.concatenate([*values, np.empty(0)]))
        return split_as(pooled, values)
    compared = np.array([own[0] for own in values if len(own)])
    if len(compared) < 2:
        return [np.zeros(len(own)) for own in values]
    mean = compared[0] + (compared - compared[0]).mean()  # exact where they are equal
    match params.estimator:
        case "rloo":
            scale = len(compared) / (len(compared) - 1)
        case "grpo_std":
            tied = np.ptp(compared) <= ROUNDING * max(1.0, float(np.abs(compared).max()))
            scale = 0.0 if tied else 1.0 / (float(compared.std(ddof=1)) + params.eps)
        case _:
            scale = 1.0
    return [(own - mean) * scale for own in values]


Sums = dict[tuple[int, int], tuple[list[float], list[float]]]
"""(item, trajectory) -> a sum a step under both models."""


def _ask_log_probabilities(groups: Sequence[Any], params: Params, hosted: HostedLogprobs) -> Effectful[Sums]:
    """What two hosted models say of the actions of the trajectories that came as texts."""
    places = [
        (i, k)
        for i, group in enumerate(groups)
        for k, member in enumerate(group)
        if entry(member, "logp_prm") is None and entry(member, "steps") is not None
    ]
    if params.model is None or params.old is None:
        return {}
    asked = []
    for i, k in places:
        before = ""
        for step in entry(groups[i][k], "steps"):
            observation, action = entry(step, "observation", ""), entry(step, "action", "")
            asked.append((i, before + observation, action))
            before += observation + action
    sums: Sums = {place: ([], []) for place in places}
    owners = [(i, k) for i, k in places for _ in entry(groups[i][k], "steps")]
    for side, model in enumerate((params.model, params.old)):
        for owner, tokens in zip(owners, (yield from hosted.ask(asked, model)), strict=True):
            sums[owner][side].append(float("nan") if tokens is None else float(tokens.sum()))
    return sums


def _compute_log_ratios(member: object, place: int, read: tuple[list[float], list[float]] | None) -> FloatArray:
    given = read or (entry(member, "logp_prm"), entry(member, "logp_old"))
    if entry(member, "steps") is not None and given[0] is None:
        raise ItemError(
            f"trajectories[{place}] holds texts: name two hosted models in params (model, old)",
            param=f"trajectories[{place}]",
        )
    ours, old = (np.asarray([] if side is None else side, dtype=np.float64) for side in given)
    if len(ours) != len(old):
        raise ItemError(
            f"trajectories[{place}] has {len(ours)} logp_prm and {len(old)} logp_old; give one each a step",
            param=f"trajectories[{place}]",
        )
    return np.asarray(ours - old)
