"""How sure a policy is of its own tokens, from its probabilities over the whole vocabulary: a reward without labels."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

TOLERANCE = 1e-3
"""By how much the probabilities of a row may differ from 1 in their sum, unless the request says otherwise."""

COST = Cost(row=60.0, unit=0.05)

SAMPLED_ALONE = (
    "log-probabilities of the sampled tokens alone are another quantity; give one row per token, with the "
    "log-probability of every entry of the vocabulary"
)

_LOGPROBS: Any = Field(
    None,
    description="[T][V] natural log-probabilities of the whole vocabulary at each token of the response; those of the "
    "sampled tokens alone are refused.",
)


class LastParams(OperationParams):
    last: float = Field(
        1.0, gt=0, le=1, description="Share of the tokens that count, from the end; rounded up to whole tokens."
    )
    tolerance: float = Field(
        TOLERANCE,
        gt=0,
        lt=1,
        description="By how much the probabilities of a row may differ from 1 in their sum: more for numbers of 16 "
        "bits, less where a few probable tokens could be taken for the vocabulary.",
    )


class CertaintyParams(LastParams):
    vocabulary: int | None = Field(
        None, ge=2, description="V, the size of the vocabulary, for items that do not give it."
    )


class CertaintyItem(OperationItem):
    logprobs: list[list[float]] | list[float] | None = _LOGPROBS
    mean_logprob: list[float] | None = Field(
        None,
        description="[T] the mean of the log-probabilities of the whole vocabulary at each token, in place of "
        "`logprobs`; needs `vocabulary`.",
    )
    vocabulary: int | None = Field(
        None, ge=2, description="V, the size of the vocabulary. If omitted: params.vocabulary."
    )


class EntropyItem(OperationItem):
    logprobs: list[list[float]] | list[float] | None = _LOGPROBS
    entropy: list[float] | None = Field(
        None, description="[T] the entropy of the policy at each token, in nats, in place of `logprobs`."
    )


def read_table(given: Any, tolerance: float) -> FloatArray:
    """[T, V] log-probabilities of a whole vocabulary.

    Raises:
        ItemError: it is no such table: its rows are of unequal length, or are no distributions.
    """
    rows = [np.atleast_1d(np.asarray(row, dtype=np.float64)) for row in given]
    if not rows:
        raise ItemError("there are no tokens", "logprobs")
    if any(row.ndim > 1 or len(row) < 2 for row in rows):
        raise ItemError(SAMPLED_ALONE, "logprobs")
    sizes = [len(row) for row in rows]
    if (other := next((t for t, size in enumerate(sizes) if size != sizes[0]), None)) is not None:
        message = f"has {sizes[other]} entries and the first row {sizes[0]}: each needs the whole vocabulary"
        raise ItemError(message, f"logprobs[{other}]")
    table = np.stack(rows)
    off = np.abs(np.exp(np.minimum(table, 1.0)).sum(axis=1) - 1.0)  # what is above 0 is no log-probability
    if (faulty := np.flatnonzero(~(off <= tolerance))).size:
        total = float(np.exp(np.minimum(table[faulty[0]], 1.0)).sum())
        message = f"its probabilities add up to {total:.6g}, not 1: {SAMPLED_ALONE}"
        raise ItemError(message, f"logprobs[{faulty[0]}]")
    return table


def take_last(values: FloatArray, share: float) -> FloatArray:
    """The last tokens: at least one, rounded up. [T] -> [t], along the first axis."""
    return values[len(values) - max(1, math.ceil(share * len(values) - 1e-9)) :]


def read_list(values: Any, name: str) -> FloatArray:
    """[T] numbers. Raises ItemError where there are none."""
    if not len(values):
        raise ItemError("there are no tokens", name)
    return np.asarray(values, dtype=np.float64)


def choose_form(logprobs: Any, other: Any, name: str) -> str:
    """Which of the two forms an item has. Raises ItemError unless it has one."""
    if (logprobs is None) == (other is None):
        raise ItemError(f"give logprobs or {name}, one of them")
    return name if logprobs is None else "logprobs"


def answer_means(size: int, measure: Callable[[int], FloatArray], last: float) -> Outcome:
    """The mean over the last tokens of each item; ``measure`` gives [T] numbers of an item, or raises ItemError."""

    def compute_row(i: int) -> Row:
        counted = take_last(measure(i), last)
        return Row(reward=float(counted.mean()), details={"tokens": len(counted)})

    return by_row(size, compute_row)


@operation(
    "score",
    "self_certainty",
    item=CertaintyItem,
    params=CertaintyParams,
    source=Source("Learning to Reason without External Rewards (INTUITOR)", "https://arxiv.org/abs/2505.19590"),
    fidelity="second-hand",
    cost=COST,
)
def self_certainty(columns: Columns, params: CertaintyParams) -> Outcome:
    """How far the policy's distribution is from the uniform one, mean over its tokens (self-certainty, INTUITOR).

    R = mean over t of (−(1/V) Σ_v log p(v) − log V) = mean over t of KL(U ‖ p_t), natural logarithms, over the whole
    vocabulary of V entries. 0 where every token is uniform; there is no upper bound. INTUITOR's code leaves out
    − log V, a constant of the model: its numbers are greater by log V, and a group's advantages are the same.

    Give `logprobs`, one row per token with an entry for all of the vocabulary; or `mean_logprob`, (1/V) Σ_v log p(v) of
    each token, which is a small fraction of it to send, with `vocabulary`. `last` counts the end of a response alone.
    Log-probabilities of the sampled tokens alone are refused, as another quantity: a row has to add up to 1 in
    probability within `tolerance`, and a mean is never above −log V. No tokens, or rows of unequal length, are an item
    error. Details: `tokens`, how many counted.
    """
    fields = {name: columns.objects(name) for name in CertaintyItem.model_fields}

    def measure(i: int) -> FloatArray:
        logprobs, means, given = (fields[name][i] for name in CertaintyItem.model_fields)
        size = given if given is not None else params.vocabulary
        if choose_form(logprobs, means, "mean_logprob") == "logprobs":
            table = read_table(logprobs, params.tolerance)
            if size is not None and table.shape[1] != size:
                raise ItemError(f"its rows have {table.shape[1]} entries, and the vocabulary {size}", "logprobs")
            return np.asarray(-(table / table.shape[1]).sum(axis=1) - math.log(table.shape[1]))
        if size is None:
            raise ItemError("mean_logprob needs the size of the vocabulary", "vocabulary")
        certainty = -read_list(means, "mean_logprob") - math.log(size)
        if (faulty := np.flatnonzero(certainty < -params.tolerance)).size:
            message = f"is above −log {size}, as no mean over the whole vocabulary is: {SAMPLED_ALONE}, or its mean"
            raise ItemError(message, f"mean_logprob[{faulty[0]}]")
        return certainty

    return answer_means(columns.size, measure, params.last)


@operation(
    "score",
    "negative_entropy",
    item=EntropyItem,
    params=LastParams,
    source=Source("Maximizing Confidence Alone Improves Reasoning (RENT)", "https://arxiv.org/abs/2505.22660"),
    fidelity="second-hand",
    cost=COST,
)
def negative_entropy(columns: Columns, params: LastParams) -> Outcome:
    """The negative entropy of the policy, mean over its tokens (RENT): 0 where it is sure, −log V where it guesses.

    R = mean over t of Σ_v p(v) log p(v), natural logarithms, over the whole vocabulary.

    Give `logprobs`, one row per token with an entry for all of the vocabulary, or `entropy`, the entropy in nats at
    each token, as trainers compute it. `last: 0.5` counts the second half of a response alone.
    Log-probabilities of the sampled tokens alone are refused, as another quantity: a row has to add up to 1 in
    probability within `tolerance`. No tokens, rows of unequal length, or an entropy below 0 are an item error. Details:
    `tokens`, how many counted.
    """
    fields = {name: columns.objects(name) for name in EntropyItem.model_fields}

    def measure(i: int) -> FloatArray:
        logprobs, entropy = (fields[name][i] for name in EntropyItem.model_fields)
        if choose_form(logprobs, entropy, "entropy") == "logprobs":
            table = read_table(logprobs, params.tolerance)
            return np.asarray((np.exp(table) * table).sum(axis=1))
        told = read_list(entropy, "entropy")
        if (faulty := np.flatnonzero(told < 0)).size:
            raise ItemError("an entropy is never below 0: give it as a positive number", f"entropy[{faulty[0]}]")
        return 0.0 - told

    return answer_means(columns.size, measure, params.last)
