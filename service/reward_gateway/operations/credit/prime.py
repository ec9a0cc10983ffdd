"""PRIME: process rewards implied by two language models, with leave-one-out returns."""

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..effects import Effectful
from ..hosted_logprobs import HostedLogprobs
from ..members import column, entry
from ..names import HostedModel
from ..numerics import return_to_go, softplus
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Process Reinforcement through Implicit Rewards (PRIME)", "https://arxiv.org/abs/2502.01456")


class Params(OperationParams):
    beta: float = Field(0.05, gt=0, description="Scale of the log-ratio.")
    variant: Literal["paper", "released"] = Field(
        "paper",
        description="paper: token rewards β·q, one baseline a token. released: raw q, and that code's baseline.",
    )
    granularity: Literal["token", "whole"] = Field("token", description="whole: the sum, on the last token.")
    batch_norm: bool | None = Field(
        None,
        description="Divide by the group's greatest |return to go|: only in released, and there the default.",
    )
    model: HostedModel | None = Field(None, description="Hosted language model π, where rollouts hold texts.")
    reference: str | None = Field(None, description="Hosted language model π_ref, likewise; of the same tokeniser.")
    low: float = Field(0.2, ge=0, le=1, description="Groups below this accuracy are not kept.")
    high: float = Field(0.8, ge=0, le=1, description="Groups above this accuracy are not kept.")

    @model_validator(mode="after")
    def _of_the_release(self) -> Self:
        if self.batch_norm and self.variant == "paper":
            raise ValueError("batch_norm belongs to the released code; set variant to released, or leave it out")
        return self


class Rollout(OperationItem):
    logp: list[float] | None = Field(None, description="Log-probability of every token under π.")
    ref_logp: list[float] | None = Field(None, description="The same under π_ref.")
    response: str | None = Field(None, description="The rollout as text, in place of both.")
    outcome: float | bool = Field(description="Outcome reward of the rollout, 1 or 0 for a verdict.")


class Item(OperationItem):
    group: list[Rollout] = Field(description="Rollouts of one prompt.")
    prompt: str | None = Field(None, description="What stands before the responses, where rollouts hold texts.")


@operation(
    "credit",
    "prime",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    grouped=True,
    compares="group",
)
def prime(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Implicit process rewards of a group's tokens, and their leave-one-out returns.

    q_t = log π_φ(y_t) − log π_ref(y_t). `rewards`: β·q_t (variant `paper`, default, β = .05) or q_t (`released`), a
    list a rollout; with granularity `whole` their sum on the last token. `batch_norm` (only in `released`, where it is
    the default) divides, for the returns, by the greatest |Σ_(k ≥ t) r_k| of the group + 1e-6.

    Returns, in details: with m_j the mean token reward of rollout j and K rollouts, a token's advantage is
    r_t − Σ_(j ≠ i) m_j / (K − 1) (paper) or r_t·K / (K − 1) − Σ_j m_j / (K − 1) (released); it is summed from t to the
    end, and the outcome's leave-one-out advantage, outcome − mean of the others', is added to every token (it stands
    on the last one, γ = 1). Whitening mixes the batch and is left to the trainer.

    Give both lists a rollout; or `response` (and the item's `prompt`, joined as they stand), and two hosted language
    models, `model` and `reference`, read it.

    One rollout has no baseline: its returns are 0 and the item is flagged `no_baseline`. Unequal lengths of the two
    lists, or an empty group, are an item error. Details: `returns`, `outcome_advantage`, `cross_entropy` (of
    σ(β Σ q) against the outcome, a rollout), `accuracy`, `keep` (accuracy within [.2, .8]).
    """
    groups = columns.objects("group")
    hosted = HostedLogprobs()
    texts = yield from _ask_log_probabilities(columns, params, hosted)

    def compute_row(i: int) -> Row:
        group = groups[i]
        if not len(group):
            raise ItemError("the group has no rollouts", param="group")
        ratios = [_compute_log_ratio(rollout, place, texts.get((i, place))) for place, rollout in enumerate(group)]
        outcomes = column(group, "outcome")
        rewards = [_compute_rewards(ratio, params) for ratio in ratios]
        baseline = outcomes - (outcomes.sum() - outcomes) / max(len(group) - 1, 1)
        outcome_advantage = baseline if len(group) > 1 and np.ptp(outcomes) > 0 else np.zeros(len(group))
        returns = _compute_returns(_normalise_rewards(rewards, params), outcome_advantage, params.variant)
        accuracy = float(outcomes.mean())
        logits = params.beta * np.array([ratio.sum() for ratio in ratios])
        return Row(
            rewards=[reward.tolist() for reward in rewards],
            details={
                "returns": [own.tolist() for own in returns],
                "outcome_advantage": outcome_advantage.tolist(),
                "cross_entropy": (softplus(logits) - outcomes * logits).tolist(),
                "accuracy": accuracy,
                "keep": params.low <= accuracy <= params.high,
            },
            flags=("no_baseline",) if len(group) == 1 else (),
        )

    return hosted.mark(by_row(columns.size, compute_row))


Pairs = dict[tuple[int, int], tuple[Any, Any]]
"""(item, place in its group) -> log-probabilities under both models."""


def _ask_log_probabilities(columns: Columns, params: Params, hosted: HostedLogprobs) -> Effectful[Pairs]:
    """What two hosted models say of the rollouts that came as texts."""
    places = [
        (i, place)
        for i, group in enumerate(columns.objects("group"))
        for place, rollout in enumerate(group)
        if entry(rollout, "logp") is None and entry(rollout, "response") is not None
    ]
    if params.model is None or params.reference is None:
        return {}
    groups, prompts = columns.objects("group"), columns.objects("prompt")
    asked = [(i, prompts[i] or "", entry(groups[i][place], "response")) for i, place in places]
    ours = yield from hosted.ask(asked, params.model)
    theirs = yield from hosted.ask(asked, params.reference)
    return dict(zip(places, zip(ours, theirs, strict=True), strict=True))


def _compute_log_ratio(rollout: Any, place: int, read: tuple[Any, Any] | None) -> FloatArray:
    given = read or (entry(rollout, "logp"), entry(rollout, "ref_logp"))
    if given[0] is None or given[1] is None:
        raise ItemError(
            f"group[{place}] needs logp and ref_logp; or a response, and the names of two hosted models in params",
            param=f"group[{place}]",
        )
    logp, reference = (np.asarray(own, dtype=np.float64) for own in given)
    if len(logp) != len(reference):
        raise ItemError(
            f"group[{place}] has {len(logp)} log-probabilities and {len(reference)} of the reference",
            param=f"group[{place}]",
        )
    return np.asarray(logp - reference)


def _compute_rewards(ratio: FloatArray, params: Params) -> FloatArray:
    rewards = ratio * params.beta if params.variant == "paper" else ratio
    if params.granularity == "token" or not len(rewards):
        return rewards
    whole = np.zeros(len(rewards))
    whole[-1] = rewards.sum()
    return whole


def _normalise_rewards(rewards: list[FloatArray], params: Params) -> list[FloatArray]:
    if params.variant == "paper" or params.batch_norm is False:
        return rewards
    greatest = max((float(np.abs(return_to_go(own)).max()) for own in rewards if len(own)), default=0.0)
    return [own / (greatest + 1e-6) for own in rewards]


def _compute_returns(rewards: list[FloatArray], outcome_advantage: FloatArray, variant: str) -> list[FloatArray]:
    count = len(rewards)
    if count == 1:
        return [np.zeros(len(rewards[0]))]
    means = np.array([own.mean() if len(own) else 0.0 for own in rewards])
    returns = []
    for i, own in enumerate(rewards):
        if variant == "paper":
            advantage = own - (means.sum() - means[i]) / (count - 1)
        else:
            advantage = own * count / (count - 1) - means.sum() / (count - 1)
        returns.append(return_to_go(advantage) + outcome_advantage[i])
    return returns
