"""How much a response says again: n-grams that return, and n-grams that do not."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import Cost
from ..outcome import Outcome
from ..reading.params import TextParams
from ..registry import OperationItem, Source, operation
from ..texts import repeated_share
from ..tokens import Tokens, split_words


class Item(OperationItem):
    response: str = Field(description="Response whose n-grams are counted.")


class PenaltyParams(TextParams):
    n: int = Field(3, ge=1, le=20, description="Words in a row that count as one n-gram; case is ignored.")
    max_penalty: float = Field(1.0, ge=0, description="Cost of a response that says only one thing.")
    tokens: Tokens = "auto"


@operation(
    "score",
    "repetition_penalty",
    item=Item,
    params=PenaltyParams,
    cost=Cost(row=10.0, unit=0.3),
)
def repetition_penalty(columns: Columns, params: PenaltyParams) -> Outcome:
    """A cost in proportion to the share of n-grams that have occurred before.

    r = -max_penalty (1 - distinct / all), in (-max_penalty, 0]; a response of fewer than n words costs nothing.
    Demystifying Long Chain-of-Thought Reasoning (arXiv 2502.03373) penalises repeated n-grams token by token; this
    is the share over the response.
    """

    def compute_row(i: int) -> float:
        return repeated_share(split_words(columns.objects("response")[i].lower(), params.tokens), params.n)

    shares = columns.map_rows(compute_row)
    return Outcome(reward=0.0 - params.max_penalty * np.array(shares, dtype=np.float64))


class DistinctParams(TextParams):
    n: int = Field(2, ge=1, le=20, description="Words in a row that count as one n-gram; case is ignored.")
    tokens: Tokens = "auto"


@operation(
    "score",
    "distinct_ngrams",
    item=Item,
    params=DistinctParams,
    source=Source(
        "A Diversity-Promoting Objective Function for Neural Conversation Models", "https://arxiv.org/abs/1510.03055"
    ),
    fidelity="recalled",
    cost=Cost(row=10.0, unit=0.3),
)
def distinct_ngrams(columns: Columns, params: DistinctParams) -> Outcome:
    """Distinct-n: the share of n-grams that are different from each other, in (0, 1]; 0 without any n-gram."""

    def compute_row(i: int) -> float:
        words = split_words(columns.objects("response")[i].lower(), params.tokens)
        return 1.0 - repeated_share(words, params.n) if len(words) >= params.n else 0.0

    return Outcome(reward=np.array(columns.map_rows(compute_row), dtype=np.float64))
