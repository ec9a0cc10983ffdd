"""T-REG: a reward per token from the contrast of a prompt for better and a prompt for worse answers."""

import numpy as np
from pydantic import Field
from scipy.special import expit

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..effects import Effectful
from ..hosted_logprobs import HostedLogprobs
from ..names import HostedModel
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "T-REG: Preference Optimization with Token-Level Reward Regularization", "https://arxiv.org/abs/2412.02685"
)

LARGEST_RATIO = 30.0
"""Log-ratios are clipped to this before the sigmoid, so that a reward stays inside (-.5, .5)."""

BETTER = "Write the best answer you can: helpful, correct, coherent and concise.\n\n"
WORSE = "Write the worst answer you can: unhelpful, incorrect, incoherent and verbose.\n\n"


class Params(OperationParams):
    beta: float = Field(0.1, description="Scale of the DPO reward and of the regulariser (our choice).")
    model: HostedModel = Field("language_model", description="Hosted language model, where the item holds texts.")
    better: str = Field(BETTER, description="Instruction before the prompt of the better answer (our wording).")
    separator: str = Field("\n\n", description="Text between prompt and response, where the item holds texts.")
    worse: str = Field(WORSE, description="Instruction before the prompt of the worse answer (our wording).")


class Item(OperationItem):
    logp_better: list[float] | None = Field(None, description="Log-probability per token under the better prompt.")
    logp_worse: list[float] | None = Field(None, description="The same under the worse prompt.")
    logp_policy: list[float] | None = Field(None, description="Log-probability per token under the policy.")
    logp_ref: list[float] | None = Field(None, description="The same under the reference model.")
    mask: list[bool | int] | None = Field(None, description="0 for prompt and pad tokens, whose reward is 0.")
    prompt: str | None = Field(
        None, description="Prompt, for the hosted language model where the two lists are not given."
    )
    response: str | None = Field(None, description="Response that the hosted language model reads under both prompts.")


def token_rewards(better: FloatArray, worse: FloatArray) -> FloatArray:
    """σ(log p_better - log p_worse) - 1/2, in (-.5, .5)."""
    return np.asarray(expit(np.clip(better - worse, -LARGEST_RATIO, LARGEST_RATIO)) - 0.5)


@operation(
    "credit",
    "treg",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    prompt_unless="logp_policy",
)
def treg(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Token rewards from how much likelier a token is when the answer is asked to be better than worse.

    r̂(y_t) = σ(log π(y_t | x_better, y_<t) − log π(y_t | x_worse, y_<t)) − 1/2, in (−.5, .5), both under one reference
    model; the log-ratio is clipped to ±30. Usable as a dense reward; its sum is not the reward of the sequence.

    Give the two lists, or `prompt` and `response`, and the hosted language model reads the response twice. Tokens with
    `mask` 0 get 0. Lists of unequal length: an item error. No tokens: no rewards.

    Details: `implicit` = β (log π − log π_ref), DPO's token reward, where both are given; `reg_loss` =
    −Σ_t β r̂(y_t) log π(y_t), the regulariser, where `logp_policy` is given. β = .1 is our choice. The loss of a pair:
    `audit/treg_loss`.
    """
    items = columns.rows(Item.model_fields)
    rows = [i for i, item in enumerate(items) if item["logp_better"] is None and item["response"] is not None]
    hosted = HostedLogprobs()
    asked = [
        (i, head + (items[i]["prompt"] or "") + params.separator, items[i]["response"])
        for head in (params.better, params.worse)
        for i in rows
    ]
    answers = yield from hosted.ask(asked, params.model)
    for k, i in enumerate(rows):
        items[i]["logp_better"], items[i]["logp_worse"] = answers[k], answers[len(rows) + k]

    def compute_row(i: int) -> Row:
        better, worse, policy, reference, mask = (
            None if items[i][name] is None else np.asarray(items[i][name], dtype=np.float64)
            for name in ("logp_better", "logp_worse", "logp_policy", "logp_ref", "mask")
        )
        if better is None or worse is None:
            raise ItemError("give logp_better and logp_worse, or prompt and response")
        lengths = {len(given) for given in (better, worse, policy, reference, mask) if given is not None}
        if len(lengths) > 1:
            raise ItemError(f"the lists are of unequal length: {sorted(lengths)} tokens")
        rewards = token_rewards(better, worse)
        if mask is not None:
            rewards = np.where(mask > 0, rewards, 0.0)
        implicit = None if policy is None or reference is None else params.beta * (policy - reference)
        loss = None if policy is None else float(-params.beta * (rewards * policy).sum())
        return Row(rewards=rewards, details={"implicit": implicit, "reg_loss": loss})

    return hosted.mark(by_row(columns.size, compute_row))
