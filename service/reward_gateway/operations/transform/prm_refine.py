"""Clip and Delta: process rewards that cannot be farmed by more steps."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..outcome import Outcome
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "On Designing Effective RL Reward at Training Time for LLM Reasoning", "https://arxiv.org/abs/2410.15115"
)


class Params(OperationParams):
    mode: Literal["clip", "delta", "clip_delta"] = Field("clip_delta", description="What is done to the step rewards.")
    eta: float | Literal["batch_mean"] = Field(
        "batch_mean", description="Threshold of the clip; batch_mean: the mean of all step rewards of the request."
    )
    alpha: float = Field(0.02, description="Weight of the process rewards beside correctness (recalled).")


class Item(OperationItem):
    step_rewards: list[float] = Field(description="The process reward model's score of every step, a probability.")
    correct: float | bool | None = Field(None, description="1 if the final answer is correct, else 0.")


def clip(steps: Ragged, eta: float) -> Ragged:
    """min(r − η, 0)."""
    return steps.with_values(np.minimum(steps.values - eta, 0.0))


def delta(steps: Ragged) -> Ragged:
    """r_k − r_{k+1}; r_{K−1} at K − 1 and 0 at K, so that what is to come from k sums to r_k."""
    starts = np.cumsum(steps.counts) - steps.counts
    left: NDArray[np.intp] = np.repeat(starts + steps.counts, steps.counts) - np.arange(len(steps.values))
    following = np.append(steps.values[1:], 0.0) if len(steps.values) else steps.values
    # left is 1 at a row's last step and 2 at the one before.
    following = np.where(left > 2, following, 0.0)
    return steps.with_values(np.where(left > 1, steps.values - following, 0.0))


def _averages_request(params: Params) -> bool:
    return params.eta == "batch_mean" and params.mode != "delta"


@operation(
    "transform",
    "prm_refine",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    grouped=_averages_request,
    compares=lambda params: "request" if _averages_request(params) else None,
)
def prm_refine(columns: Columns, params: Params) -> Outcome:
    """Refined process rewards whose return is bounded, so that more steps or repeated ones do not pay.

    - `clip`: r'_k = min(r_k − η, 0)
    - `delta`: r'_k = r_k − r_{k+1} for k < K − 1, r_{K−1} for k = K − 1, 0 for k = K: the return from k is r_k, and the
      last step is left to the reward of success
    - `clip_delta` (default, the paper's best): delta of clip

    η is a number, or `batch_mean` (default, recalled), the mean of all step rewards of the request: then an answer
    depends on its neighbours. Scores should be probabilities, not logits. One step gives [0] under delta; no steps give
    none.

    `rewards`: the refined steps; reward = α Σ r' + correct, α = .02 (recalled), where `correct` is given. Details:
    `eta`.
    """
    steps = Ragged.of_column(columns, "step_rewards")
    eta = params.eta if isinstance(params.eta, float) else float(steps.values.mean()) if len(steps.values) else 0.0
    refined = clip(steps, eta) if params.mode != "delta" else steps
    if params.mode != "clip":
        refined = delta(refined)
    correct = columns.floats("correct")
    reward: FloatArray | None = None
    if not np.isnan(correct).all():
        reward = params.alpha * refined.sum() + correct
    return Outcome(
        reward=reward,
        rewards=np.split(refined.values, np.cumsum(refined.counts)[:-1]) if columns.size else [],
        details={"eta": [eta] * columns.size},
    )
