"""Length as a reward: how long a response is, and soft penalties that start before the hard limit does."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..reading.params import TextParams
from ..registry import OperationItem, Source, operation
from ..tokens import Tokens, split_words

Unit = Literal["words", "characters"]


class Item(OperationItem):
    response: str = Field(description="Response whose length counts, unless `length` is given.")
    length: float | None = Field(None, description="The response's length, in tokens for example; else it is counted.")


class CorrectItem(Item):
    correct: bool | float = Field(description="Whether the response is right: true, or a number above 0.5.")


class UnitParams(TextParams):
    unit: Unit = Field("words", description="What is counted where the item gives no length.")
    tokens: Tokens = "auto"


def lengths(columns: Columns, params: UnitParams) -> FloatArray:
    """[n] the lengths that the items give, else those of their responses."""
    given = columns.floats("length")
    unknown = np.isnan(given)
    if not unknown.any():
        return given
    responses = columns.objects("response")
    count = (lambda text: len(split_words(text, params.tokens))) if params.unit == "words" else len
    counted = [float(count(text)) if unknown[i] else 0.0 for i, text in enumerate(responses)]
    return np.where(unknown, counted, given)


@operation("score", "response_length", item=Item, params=UnitParams, cost=CHEAP)
def response_length(columns: Columns, params: UnitParams) -> Outcome:
    """The length of the response, in words, characters, or what the item's ``length`` counts."""
    return Outcome(reward=lengths(columns, params))


class OverlongParams(UnitParams):
    max_length: float = Field(gt=0, description="L_max: from here on the penalty is -1.")
    cache: float = Field(gt=0, description="L_cache: the penalty begins this long before L_max.")

    @model_validator(mode="after")
    def _cache_within(self) -> Self:
        if self.cache > self.max_length:
            raise ValueError("cache must not be above max_length")
        return self


@operation(
    "score",
    "overlong_penalty",
    item=Item,
    params=OverlongParams,
    source=Source(
        "DAPO: An Open-Source LLM Reinforcement Learning System at Scale", "https://arxiv.org/abs/2503.14476"
    ),
    fidelity="verified",
    cost=CHEAP,
)
def overlong_penalty(columns: Columns, params: OverlongParams) -> Outcome:
    """DAPO's soft overlong punishment: 0, then falling to -1 over the last stretch before the limit.

    L <= L_max - L_cache: 0;  up to L_max: ((L_max - L_cache) - L) / L_cache;  beyond: -1.
    The paper counts tokens (L_max 20,480, L_cache 4,096): give them as the item's ``length``. verl's reward manager for
    DAPO gives the same up to L_max, and goes on falling beyond it.
    """
    over = lengths(columns, params) - (params.max_length - params.cache)
    return Outcome(reward=-np.clip(over / params.cache, 0.0, 1.0) + 0.0)


class LinearParams(UnitParams):
    target: float = Field(ge=0, description="The length that costs nothing.")
    per_unit: float = Field(0.0003, ge=0, description="Cost of each unit away from it.")
    side: Literal["both", "over"] = Field("both", description="both: shorter costs as well. over: only longer does.")
    floor: float | None = Field(None, le=0, description="Lowest reward; none if unset.")


@operation(
    "score",
    "linear_length",
    item=Item,
    params=LinearParams,
    source=Source("L1: Controlling How Long A Reasoning Model Thinks With RL", "https://arxiv.org/abs/2503.04697"),
    fidelity="verified",
    cost=CHEAP,
)
def linear_length(columns: Columns, params: LinearParams) -> Outcome:
    """A cost that grows linearly with the distance from a target length.

    both: r = -per_unit |L - target| (L1's length term, alpha = .0003);  over: r = -per_unit max(0, L - target).
    The default of L1's code is alpha = 1/3000.
    """
    distance = lengths(columns, params) - params.target
    cost = np.abs(distance) if params.side == "both" else np.maximum(distance, 0.0)
    reward = 0.0 - params.per_unit * cost
    return Outcome(reward=reward if params.floor is None else np.maximum(reward, params.floor))


class CosineParams(UnitParams):
    max_length: float = Field(gt=0, description="L_max: from here on the reward is ``exceed``.")
    correct_short: float = Field(2.0, description="Reward of a right response of length 0.")
    correct_long: float = Field(1.0, description="Reward of a right response just below L_max.")
    wrong_short: float = Field(-10.0, description="Reward of a wrong response of length 0.")
    wrong_long: float = Field(0.0, description="Reward of a wrong response just below L_max.")
    exceed: float = Field(-10.0, description="Reward of a response of L_max or longer, right or wrong.")


@operation(
    "score",
    "cosine_length",
    item=CorrectItem,
    params=CosineParams,
    source=Source("Demystifying Long Chain-of-Thought Reasoning in LLMs", "https://arxiv.org/abs/2502.03373"),
    fidelity="verified",
    cost=CHEAP,
)
def cosine_length(columns: Columns, params: CosineParams) -> Outcome:
    """Cosine-scaled length reward: right answers earn more when short, wrong ones lose less when long.

    L < L_max: r = long + (short - long) (1 + cos(pi L / L_max)) / 2, with the pair of the response's verdict;
    L >= L_max: exceed. The authors' code gives exceed from 16 tokens earlier on (L >= L_max - 16), on the same curve.
    """
    length = lengths(columns, params)
    verdicts = columns.floats("correct")
    right = verdicts > 0.5
    short = np.where(right, params.correct_short, params.wrong_short)
    long = np.where(right, params.correct_long, params.wrong_long)
    share = np.clip(length / params.max_length, 0.0, 1.0)
    curve = long + (short - long) * (1.0 + np.cos(np.pi * share)) / 2.0
    reward = np.where(length >= params.max_length, params.exceed, curve)
    return Outcome(reward=np.where(np.isnan(verdicts), np.nan, reward))
