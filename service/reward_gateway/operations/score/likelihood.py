"""Likelihood rewards: how likely the reference answer becomes after a chain of thought."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.special import logsumexp

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..effects import Effectful
from ..hosted_logprobs import HostedLogprobs
from ..names import HostedModel
from ..outcome import Outcome, invalid_field
from ..reading.alternatives import Reference
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Likelihood-Based Reward Designs for General LLM Reasoning", "https://arxiv.org/abs/2602.03979")

Kind = Literal["logprob", "avg_logprob", "prob", "avg_prob", "base", "jepo"]
LOWEST = -1e4
"""A log-probability below this, minus infinity included, counts as it in the log kinds (our choice)."""


class Params(OperationParams):
    kind: Kind = Field("logprob", description="What is made of the reference's log-probabilities.")
    advantage: Literal["rloo", "jepo"] | None = Field(None, description="Also give the advantage within the group.")
    model: HostedModel = Field("language_model", description="Hosted language model, where the item holds texts.")
    answer_prefix: str = Field("\n\nAnswer: ", description="Text between chain of thought and reference (our choice).")

    @model_validator(mode="after")
    def _jepo_is_its_own_baseline(self) -> Self:
        if self.kind == "jepo" and self.advantage == "rloo":
            raise ValueError("kind jepo is a reward of the whole group; its advantage is jepo, not rloo")
        if self.kind == "base" and self.advantage == "jepo":
            raise ValueError("advantage jepo is made of log-probabilities, which kind base does not read")
        return self


class Item(OperationItem):
    ref_logprobs: list[Annotated[float, Field(allow_inf_nan=True)]] | None = Field(
        None, description="Log-probability of every token of the reference, given prompt and chain of thought."
    )
    group: str | None = Field(None, description="The prompt; items without one belong together.")
    correct: bool | float | None = Field(None, description="Whether the answer is correct (base).")
    prompt: str | None = Field(
        None, description="Prompt, for the hosted language model where there are no ref_logprobs."
    )
    cot: str | None = Field(None, description="Chain of thought that stands between prompt and reference.")
    reference: Reference | None = Field(None, description="Reference answer whose likelihood is the reward.")


def _averages_group(params: Params) -> bool:
    return params.kind == "jepo"


@operation(
    "score",
    "likelihood",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    grouped=_averages_group,
    compares=lambda params: "group" if _averages_group(params) else None,
    prompt_unless="ref_logprobs",
)
def likelihood(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Reward of a chain of thought by the likelihood of the reference answer after it.

    With ℓ_k the log-probability of the reference's k-th token:

    - `logprob` = Σ ℓ (default, recommended); it shortens chains of thought
    - `avg_logprob` = Σ ℓ / n; it weighs answers of different length differently
    - `prob` = exp Σ ℓ (VeriFree); underflows to 0 on long answers
    - `avg_prob` = mean of exp ℓ (RLPR)
    - `base` = 1 if `correct`
    - `jepo` = log of the group's mean probability, one number per group: log (1/G) Σ_i exp Σ ℓ_i

    `advantage` adds `details.advantage` within the group: `rloo` = R − mean of the others' R; `jepo` =
    LME(all) − LME(all but this one), LME being the log of the mean probability, by log-sum-exp. A group of one gets 0.

    The log-probability and probability kinds were compared with the code of VeriFree and RLPR; `base`, `jepo` and its
    advantage follow descriptions of the paper.

    Give `ref_logprobs`; or `prompt`, `cot` and `reference`, and the hosted language model reads them: the reference
    after prompt, chain of thought and `answer_prefix`, joined as they stand. No reference tokens, a log-probability
    above 0 or NaN: an item error. Minus infinity is probability 0; in the log kinds a token below −10000 counts
    as −10000 (our choice). Details: `tokens`, `advantage`.
    """
    vectors: list[FloatArray | None] = list(columns.vectors("ref_logprobs"))
    correct = columns.floats("correct")
    invalid: dict[int, Invalid] = {}
    hosted = HostedLogprobs()
    if params.kind != "base":
        yield from _ask_log_probabilities(columns, params, vectors, hosted)
        invalid = {i: invalid_field(why) for i, vector in enumerate(vectors) if (why := _find_fault(vector))}
    else:
        missing = "kind base needs correct"
        invalid = {int(i): invalid_field(missing, "correct") for i in np.flatnonzero(np.isnan(correct))}
    valid = [i for i in range(columns.size) if i not in invalid]
    reward, sums = np.full(columns.size, np.nan), np.full(columns.size, np.nan)
    if params.kind == "base":
        reward[valid] = correct[valid] > 0
    elif valid:
        _reduce_rows([vectors[i] for i in valid if vectors[i] is not None], valid, params.kind, reward, sums)
    details: dict[str, Any] = {"tokens": [None if vector is None else len(vector) for vector in vectors]}
    groups: dict[str | None, list[int]] = {}
    for i in valid:
        groups.setdefault(columns.objects("group")[i], []).append(i)
    if params.kind == "jepo":
        for members in groups.values():
            reward[members] = log_mean_exp(sums[members])
    if params.advantage is not None:
        advantage = np.full(columns.size, np.nan)
        for members in groups.values():
            values = reward[members] if params.advantage == "rloo" else sums[members]
            advantage[members] = rloo(values) if params.advantage == "rloo" else jepo(values)
        details["advantage"] = advantage
    return hosted.mark(Outcome(reward=reward, details=details, invalid=invalid))


def _ask_log_probabilities(
    columns: Columns, params: Params, vectors: list[FloatArray | None], hosted: HostedLogprobs
) -> Effectful[None]:
    """Fill in the log-probabilities that the caller left to the hosted model."""
    texts = columns.rows(("prompt", "cot", "reference"))
    rows = [i for i, text in enumerate(texts) if vectors[i] is None and text["cot"] is not None and text["reference"]]
    contexts = [(texts[i]["prompt"] or "") + texts[i]["cot"] + params.answer_prefix for i in rows]
    asked = [(i, context, texts[i]["reference"]) for i, context in zip(rows, contexts, strict=True)]
    for i, answer in zip(rows, (yield from hosted.ask(asked, params.model)), strict=True):
        vectors[i] = answer


def _find_fault(vector: FloatArray | None) -> str | None:
    if vector is None:
        return "give ref_logprobs, or cot and reference"
    if len(vector) == 0:
        return "the reference has no tokens"
    if np.isnan(vector).any() or (vector > 0).any():
        return "a log-probability is a number of 0 or below"
    return None


def _reduce_rows(vectors: list[Any], rows: list[int], kind: Kind, reward: FloatArray, sums: FloatArray) -> None:
    """Rewards and sums of all rows in a handful of calls: flat tokens, cut where the rows begin."""
    counts = np.array([len(vector) for vector in vectors])
    starts = np.cumsum(counts) - counts
    tokens = np.concatenate(vectors)
    clamped = np.add.reduceat(np.maximum(tokens, LOWEST), starts)
    sums[rows] = clamped
    match kind:
        case "avg_logprob":
            reward[rows] = clamped / counts
        case "prob":
            reward[rows] = np.exp(np.add.reduceat(tokens, starts))
        case "avg_prob":
            reward[rows] = np.add.reduceat(np.exp(tokens), starts) / counts
        case _:
            reward[rows] = clamped


def log_mean_exp(values: FloatArray) -> float:
    """log of the mean of exp(values), stable."""
    return float(logsumexp(values) - np.log(len(values)))


def rloo(values: FloatArray) -> FloatArray:
    """R_i minus the mean of the others; 0 for one alone."""
    if len(values) < 2:
        return np.zeros(len(values))
    shifted = values - values[0]
    return np.asarray((shifted - shifted.mean()) * len(values) / (len(values) - 1))


def jepo(sums: FloatArray) -> FloatArray:
    """LME(all) - LME(all but i); 0 for one alone."""
    if len(sums) < 2:
        return np.zeros(len(sums))
    before = np.append(-np.inf, np.logaddexp.accumulate(sums)[:-1])
    after = np.append(np.logaddexp.accumulate(sums[::-1])[:-1][::-1], -np.inf)
    return np.asarray(log_mean_exp(sums) - (np.logaddexp(before, after) - np.log(len(sums) - 1)))
