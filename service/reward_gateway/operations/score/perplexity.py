"""How surprised a language model was, from the log-probabilities that it gave the response's tokens."""

import numpy as np
from pydantic import Field

from ..columns import Columns
from ..costs import Cost
from ..effects import Effectful
from ..hosted_logprobs import HostedLogprobs
from ..names import HostedModel
from ..outcome import Outcome, invalid_field
from ..ragged import Ragged
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    model: HostedModel = Field("language_model", description="Hosted language model, where the item holds texts.")


class Item(OperationItem):
    logprobs: list[float] | None = Field(None, description="Log-probability of every token of the response.")
    prompt: str | None = Field(None, description="What stands before the response; nothing: it begins a document.")
    response: str | None = Field(
        None, description="Response that the hosted language model reads, where there are no logprobs."
    )


@operation(
    "score",
    "perplexity",
    item=Item,
    params=Params,
    cost=Cost(row=20.0, unit=0.1),
    prompt_unless="logprobs",
)
def perplexity(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Perplexity of a response: lower is more fluent.

    exp(-(1/T) Σ log p_t), natural logarithms. As a reward, shape it (transform/log and affine with scale -1
    give the mean log-probability back). Give `logprobs`; or `prompt` and `response`, joined as they stand, and the
    hosted language model reads them. No tokens, a log-probability above 0, or a perplexity beyond double
    precision is an item error. Details: `mean_logprob`.
    """
    hosted = HostedLogprobs()
    items = columns.rows(Item.model_fields)
    rows = [i for i, item in enumerate(items) if item["logprobs"] is None and item["response"] is not None]
    asked = [(i, items[i]["prompt"] or "", items[i]["response"]) for i in rows]
    for i, answer in zip(rows, (yield from hosted.ask(asked, params.model)), strict=True):
        items[i]["logprobs"] = answer
    logprobs = Ragged.of_lists([item["logprobs"] for item in items])
    means = logprobs.mean()
    outcome = Outcome(details={"mean_logprob": means.tolist()})
    with np.errstate(over="ignore"):
        outcome.reward = np.exp(-means)
    reasons = {
        "logprobs: there are none; give them, or a response that is not empty": logprobs.empty,
        "logprobs: a log-probability is above 0": logprobs.any(logprobs.values > 0),
    }
    for message, faulty in reasons.items():
        outcome.invalid.update(dict.fromkeys(np.flatnonzero(faulty).tolist(), invalid_field(message, "logprobs")))
    return hosted.mark(outcome)
