"""The reward of a response spread over its tokens: by attention (ABC), or by what each adds to the reward (RED)."""

from typing import Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..numerics import require_finite
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Dense Reward for Free in RLHF (ABC)", "https://arxiv.org/abs/2402.00782")


class Params(OperationParams):
    variant: Literal["abc", "red"] = Field(
        "abc", description="abc: by attention. red: by increments of the reward of prefixes (arXiv 2411.08302)."
    )
    beta: float = Field(1.0, ge=0, le=1, description="abc: the share that is spread; the last token gets the rest.")


class Item(OperationItem):
    reward: float | None = Field(None, description="abc: the reward of the whole response.")
    attention: list[float] | None = Field(
        None, description="abc: how much the reward model's last token attends to each token, at least 0, in any scale."
    )
    prefix_rewards: list[float] | None = Field(
        None, description="red: the reward of the response up to and with each token."
    )
    start: float | None = Field(None, description="red: the reward of the prompt with no token of the response.")


@operation(
    "credit",
    "token_redistribution",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
)
def token_redistribution(columns: Columns, params: Params) -> Outcome:
    """One reward for a response, spread over its tokens, which keep its sum.

    - `abc` (default): r_t = R · (β α_t + (1 − β) · 1[t = T]), β = 1, with the attention weights α of the reward model
      divided by their sum. The rewards sum to R. Average the weights over heads of the last layer, as the paper does.
    - `red`: r_t = R(y_≤t) − R(y_<t), the first less `start`, so that the rewards sum to the reward of the whole
      response less `start` (RED). The item's `reward` plays no part.

    abc needs `reward` and `attention`, red `prefix_rewards` and `start`; what is missing, no token at all, a weight
    below 0, weights that are all 0, and numbers that run over are item errors.
    """
    rewards, attention = columns.floats("reward"), columns.vectors("attention")
    prefixes, starts = columns.vectors("prefix_rewards"), columns.floats("start")

    def compute_row(i: int) -> Row:
        if params.variant == "red":
            given = _require(prefixes[i], "prefix_rewards")
            start = _require_number(starts[i], "start")
            return Row(rewards=require_finite(np.diff(given, prepend=start), "prefix_rewards"))
        weights = _normalise(_require(attention[i], "attention"))
        shares = params.beta * weights
        shares[-1] += 1.0 - params.beta
        return Row(rewards=_require_number(rewards[i], "reward") * shares)

    return by_row(columns.size, compute_row)


def _require(values: FloatArray | None, name: str) -> FloatArray:
    if values is None or not len(values):
        raise ItemError(f"give {name}, one number a token of the response", param=name)
    return values


def _require_number(value: float, name: str) -> float:
    if np.isnan(value):
        raise ItemError(f"{name}: missing", param=name)
    return value


def _normalise(attention: FloatArray) -> FloatArray:
    if (attention < 0).any():
        place = int(np.argmax(attention < 0))
        raise ItemError(f"attention[{place}] is below 0, and weights are not", param=f"attention[{place}]")
    largest = attention.max()
    if largest == 0:
        raise ItemError("attention is 0 for every token, so that nothing says where the reward belongs", "attention")
    scaled = attention / largest
    return np.asarray(scaled / scaled.sum())
