"""A penalty for every token by how far the policy is from its reference, with the reward on the last."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..effects import Effectful, UpdateCoefficient, perform
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation
from ..transform.running_scale import LARGEST

SOURCE = Source("Fine-Tuning Language Models from Human Preferences", "https://arxiv.org/abs/1909.08593")

START = 0.2
"""What an adaptive coefficient begins with."""

CLIP = 0.2
"""Largest relative error that moves it."""

LOWEST, HIGHEST = 1e-12, 1e6
"""A stored coefficient stays within them: it would not come back from 0."""


class Params(OperationParams):
    kind: Literal["k1", "k2", "k3"] = Field("k1", description="Which estimate of the divergence; see the text.")
    beta: float | None = Field(
        None, ge=0, le=HIGHEST, description="The coefficient β; with `name`, what it begins with: .2 unless given."
    )
    name: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Name of a stored coefficient (state of kind coefficients) that batches adapt.",
    )
    target: float | None = Field(None, gt=0, le=LARGEST, description="With `name`: the KL that is aimed at.")
    horizon: float | None = Field(
        None, gt=0, le=LARGEST, description="With `name`: responses after which an error of 1 % has moved β by 1 %."
    )
    over: Literal["sequence", "token"] = Field(
        "sequence", description="With `name`: KL of a response is the sum over its tokens (TRL), or their mean (verl)."
    )

    @model_validator(mode="after")
    def _check_coefficient(self) -> Self:
        if self.name is None:
            if self.beta is None:
                raise ValueError("give beta, or name with target and horizon")
            if self.target is not None or self.horizon is not None:
                raise ValueError("target and horizon adapt a stored coefficient: give its name")
        elif self.target is None or self.horizon is None:
            raise ValueError("name needs target and horizon")
        elif self.beta is not None and self.beta < LOWEST:
            raise ValueError(f"beta: an adaptive coefficient is multiplied, and begins at {LOWEST:g} or more")
        return self


class Item(OperationItem):
    logp: list[float] = Field(description="Log-probability of every token of the response, by the policy.")
    ref_logp: list[float] = Field(description="The same by the reference policy.")
    reward: float = Field(description="Reward R of the response.")


@operation(
    "credit",
    "kl_penalty",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    stateful=lambda params: params.name is not None,
    cost=Cost(row=30.0, unit=0.2),
)
def kl_penalty(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Token rewards of RLHF: minus β times the divergence from the reference policy, plus the reward at the end.

    With d_t = log π(a_t) − log π_ref(a_t), r_t = −β k_t, and R is added to the last:

    | kind | k | |
    |---|---|---|
    | k1 | d | unbiased; a single token's may be negative |
    | k2 | d²/2 | biased, low variance |
    | k3 | exp(−d) − 1 + d | unbiased, never negative |

    β is `beta`; or, with `name`, state of the caller and run that begins with `beta` (.2) and adapts:
    β ← β (1 + clip(KL/target − 1, ±.2) · n/horizon). A batch is the valid items of a request, n of them. KL is the mean
    over the batch of Σ_t k_t, as in TRL's PPO (up to 0.11; its n is the batch over all processes, and releases that
    had no other penalty than k1 measured k1). `over: token` takes the mean over the tokens of each response instead,
    as verl does. A batch is answered with the β that was stored when it came, and changes it once it is answered: from
    the β that is stored then, so that requests at the same time each count once, and a repeat with the same
    Idempotency-Key does not. The stored β stays from 1e-12 to 1e6, also where n is many times the horizon.

    Lists of unequal length, no tokens, a k above 1e100: an item error, and no part of KL. Where no item is valid, β
    stays. Details: `kl` = Σ_t k_t, `beta`, the β of this answer. `GET /v1/state/coefficients/NAME` shows the present
    one, and DELETE lets it begin anew. In a recipe, a name and `group: {cohort: …}` exclude each other.
    """
    own, reference = columns.vectors("logp"), columns.vectors("ref_logp")
    rewards = columns.floats("reward")

    def measure_row(i: int) -> Row:
        return Row(rewards=_measure(own[i], reference[i], params.kind))

    outcome = by_row(columns.size, measure_row)
    measured: list[FloatArray | None] = [*outcome.rewards] if outcome.rewards is not None else []
    valid = [penalties for penalties in measured if penalties is not None]
    if not valid:
        outcome.rewards = [None] * columns.size
        return outcome
    beta = yield from _find_beta(valid, params)
    outcome.rewards = [
        None if penalties is None else _place_reward(-beta * penalties, reward)
        for penalties, reward in zip(measured, rewards.tolist(), strict=True)
    ]
    outcome.details = {
        "kl": [None if penalties is None else float(penalties.sum()) for penalties in measured],
        "beta": [beta] * columns.size,
    }
    return outcome


def _measure(own: FloatArray | None, reference: FloatArray | None, kind: str) -> FloatArray:
    """[T] the estimates of a response's tokens."""
    if own is None or not len(own):
        raise ItemError("logp holds no tokens", param="logp")
    if reference is None or len(reference) != len(own):
        given = 0 if reference is None else len(reference)
        raise ItemError(f"logp has {len(own)} tokens and ref_logp has {given}: give one for each", param="ref_logp")
    d = own - reference
    estimates = {"k1": lambda: d, "k2": lambda: d * d / 2.0, "k3": lambda: np.expm1(-d) + d}[kind]()
    beyond = np.flatnonzero(~(np.abs(estimates) <= LARGEST))
    if len(beyond):
        t = int(beyond[0])
        raise ItemError(f"ref_logp[{t}] is too far from logp[{t}] for {kind} to be a number", param=f"ref_logp[{t}]")
    return np.asarray(estimates, dtype=np.float64)


def _find_beta(measured: list[FloatArray], params: Params) -> Effectful[float]:
    """The coefficient of a batch; a stored one is changed by it."""
    if params.name is None or params.target is None or params.horizon is None:
        return params.beta or 0.0
    divergence = float(np.mean([k.sum() if params.over == "sequence" else k.mean() for k in measured]))
    error = min(max(divergence / params.target - 1.0, -CLIP), CLIP)
    factor = max(1.0 + error * len(measured) / params.horizon, 0.0)
    start = START if params.beta is None else params.beta
    return (
        yield from perform(
            UpdateCoefficient(params.name, "scale", factor, start=start, least=LOWEST, most=HIGHEST),
        )
    )


def _place_reward(penalties: FloatArray, reward: float) -> FloatArray:
    penalties[-1] += reward
    return penalties
