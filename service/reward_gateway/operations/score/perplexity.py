"""How surprised a language model was, from the log-probabilities that it gave the response's tokens."""

import numpy as np

from ..columns import Columns
from ..outcome import Outcome, invalid_field
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, operation


class Item(OperationItem):
    logprobs: list[float]


@operation("score", "perplexity", item=Item)
def perplexity(columns: Columns, params: OperationParams) -> Outcome:
    """Perplexity of a response: lower is more fluent.

    exp(-(1/T) Σ log p_t), natural logarithms. As a reward, shape it (transform/log and affine with scale -1
    give the mean log-probability back). No tokens, a log-probability above 0, or a perplexity beyond double
    precision is the item's error. Details: `mean_logprob`.
    """
    logprobs = Ragged.of_column(columns, "logprobs")
    means = logprobs.mean()
    outcome = Outcome(details={"mean_logprob": means.tolist()})
    with np.errstate(over="ignore"):
        outcome.reward = np.exp(-means)
    reasons = {
        "logprobs: there are none": logprobs.empty,
        "logprobs: a log-probability is above 0": logprobs.any(logprobs.values > 0),
    }
    for message, rows in reasons.items():
        outcome.invalid.update(dict.fromkeys(np.flatnonzero(rows).tolist(), invalid_field(message, "logprobs")))
    return outcome
