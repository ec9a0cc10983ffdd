"""Guards over the text of a response."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import BoolArray

from ..master_keys import content_free
from ..registry import NoParams, OperationParams
from ..texts import repeated_share
from ..tokens import Tokens, split_words
from .registry import GuardView, guard


@guard("empty_response")
def empty_response(view: GuardView, _: NoParams) -> BoolArray:
    """The response is empty or blank; it is scored all the same."""
    return np.array([not response.strip() for response in view.responses], dtype=bool)


@guard("master_key")
def master_key(view: GuardView, _: NoParams) -> BoolArray:
    """The response says nothing: empty, only punctuation, or an opener that fools judges; unless it is the reference.

    Source of the keys: One Token to Fool LLM-as-a-Judge, arXiv 2507.08794.
    """
    pairs = zip(view.responses, view.references, strict=True)
    return np.array([content_free(response, *references) for response, references in pairs], dtype=bool)


class Repetition(OperationParams):
    n: int = Field(3, ge=1, le=20, description="Words in a row that count as one n-gram.")
    share: float = Field(0.5, gt=0, le=1, description="Share of n-grams that have occurred before, from which on.")
    min_words: int = Field(20, ge=1, description="Shorter responses are let through.")
    tokens: Tokens = "auto"


@guard("repetition", Repetition)
def repetition(view: GuardView, params: Repetition) -> BoolArray:
    """The response says the same again and again."""

    def is_repetitive(response: str) -> bool:
        words = split_words(response.lower(), params.tokens)
        return len(words) >= params.min_words and repeated_share(words, params.n) >= params.share

    return np.array([is_repetitive(response) for response in view.responses], dtype=bool)


class TooLong(OperationParams):
    max_words: int | None = Field(None, ge=0, description="Most words that are not flagged.")
    max_characters: int | None = Field(None, ge=0, description="Most characters that are not flagged.")
    tokens: Tokens = "auto"

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.max_words is None and self.max_characters is None:
            raise ValueError("give max_words, max_characters or both")
        return self


@guard("too_long", TooLong)
def too_long(view: GuardView, params: TooLong) -> BoolArray:
    """The response is longer than a limit."""
    long = np.zeros(view.size, dtype=bool)
    if params.max_words is not None:
        long |= np.array(
            [len(split_words(response, params.tokens)) > params.max_words for response in view.responses], dtype=bool
        )
    if params.max_characters is not None:
        long |= np.array([len(response) > params.max_characters for response in view.responses], dtype=bool)
    return long
