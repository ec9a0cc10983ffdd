"""The length penalty that PAR applies before it shapes a reward."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..reading.params import TextParams
from ..registry import OperationItem, Source, operation
from ..tokens import Tokens, split_words

SOURCE = Source("Reward Shaping to Mitigate Reward Hacking in RLHF (PAR)", "https://arxiv.org/abs/2502.18770")


class Params(TextParams):
    free_words: int = Field(300, ge=0, description="Words that cost nothing.")
    per_word: float = Field(0.01, ge=0, description="Cost of each further word.")
    tokens: Tokens = "auto"


class Item(OperationItem):
    response: str = Field(description="Response whose words are counted.")


@operation("score", "length_penalty", item=Item, params=Params, source=SOURCE, fidelity="verified", cost=CHEAP)
def length_penalty(columns: Columns, params: Params) -> Outcome:
    """Penalty for words beyond a free length.

    r = −per_word · max(0, words − free_words), at most 0; words are what white space separates, and each character
    of scripts without spaces. Defaults 300 and .01. An empty response costs nothing. Details: `words`.
    """
    words = [len(split_words(response, params.tokens)) for response in columns.objects("response")]
    rewards = [0.0 - params.per_word * max(count - params.free_words, 0) for count in words]
    return Outcome(reward=np.array(rewards, np.float64), details={"words": words})
