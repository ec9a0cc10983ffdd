"""Length as a reward within a group: a response is long or short beside the others to the same prompt."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from .. import groups
from ..columns import Columns
from ..groups import Groups
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, Source, operation
from .lengths import UnitParams, lengths


class Item(OperationItem):
    response: str | None = Field(None, description="Response whose length counts, unless `length` is given.")
    length: float | None = Field(None, ge=0, description="The response's length, in tokens for example.")
    correct: bool | float = Field(description="Whether the response is right: true, or a number above 0.5.")
    group: str = Field(description="Items of one group, one prompt's responses for example, are compared.")


def measure_members(columns: Columns, params: UnitParams) -> tuple[FloatArray, FloatArray, Groups, Outcome]:
    """[n] lengths and verdicts, NaN where an item is no member; its groups; an outcome that says why, still empty."""
    texts, names = columns.objects("response"), columns.objects("group")
    given, right = columns.floats("length"), columns.floats("correct")
    outcome = Outcome()
    for row, (text, name) in enumerate(zip(texts, names, strict=True)):
        if name is None:
            outcome.invalid[row] = invalid_field("group: missing", "group")
        elif text is None and np.isnan(given[row]):
            outcome.invalid[row] = invalid_field("give the response, or its length", "length")
    length = lengths(columns.replaced("response", [text or "" for text in texts]), params)
    absent = np.isnan(right)
    absent[list(outcome.invalid)] = True
    return np.where(absent, np.nan, length), np.where(absent, np.nan, right > 0.5), Groups.of(names), outcome


@operation(
    "score",
    "kimi_length",
    item=Item,
    params=UnitParams,
    grouped=True,
    compares="group",
    source=Source("Kimi k1.5: Scaling Reinforcement Learning with LLMs", "https://arxiv.org/abs/2501.12599"),
    fidelity="second-hand",
)
def kimi_length(columns: Columns, params: UnitParams) -> Outcome:
    """Length against the group's shortest and longest: short right answers earn, long ones cost (Kimi k1.5).

    λ = .5 − (len − min) / (max − min), with min and max over the whole group, right and wrong. A right response gets λ,
    a wrong one min(0, λ): it never earns by being short. All lengths equal: 0. Add the reward for being right to it.

    A group of one gives 0, with `single: true` in the details; a recipe refuses it as `group_of_one`, unless it says
    `group: {single: raw}` or `{single: zero}`.
    """
    length, right, members, outcome = measure_members(columns, params)
    found = groups.measure(length, members)
    share = np.where(found.equal[members.index], 0.5, groups.minmax(length, members))
    earned = 0.5 - np.where(np.isnan(length), np.nan, share)
    outcome.reward = np.where(right > 0.5, earned, np.minimum(earned, 0.0))
    return outcome


class AdaptiveParams(UnitParams):
    beta: float = Field(ge=0, description="β, what length costs.")
    normalizer: float = Field(gt=0, description="N, the length that costs β on a prompt that is always solved.")


@operation(
    "score",
    "adaptive_length",
    item=Item,
    params=AdaptiveParams,
    grouped=True,
    compares="group",
    source=Source(
        "Just Enough Thinking: Efficient Reasoning with Adaptive Length Penalties Reinforcement Learning (ALP)",
        "https://arxiv.org/abs/2506.05256",
    ),
    fidelity="second-hand",
)
def adaptive_length(columns: Columns, params: AdaptiveParams) -> Outcome:
    """A cost of length that grows with the share of the group that solves the prompt (ALP).

    r = −(β / N) · len · max(p, 1/K), with K the size of the group and p the share of right ones in it: thinking is
    cheap where the prompt is hard. Add the reward for being right to it, with `combine`.

    A group of one has p = 1, right or wrong, with `single: true` in the details; a recipe refuses it as
    `group_of_one`, unless it says `group: {single: raw}` or `{single: zero}`.
    """
    length, right, members, outcome = measure_members(columns, params)
    found = groups.measure(right, members)
    solved = np.maximum(found.accuracy, 1.0 / np.maximum(found.sizes, 1.0))
    outcome.reward = 0.0 - params.beta / params.normalizer * length * solved[members.index]
    return outcome
