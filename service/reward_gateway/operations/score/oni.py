"""ONI: intrinsic rewards for what a game says, labelled by a language model and remembered."""

from typing import Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..effects import Effectful, LookUpLabels, MergeMoments, Moments, perform
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation
from ..transform.running_scale import LARGEST, TOO_LARGE

SOURCE = Source(
    "ONI: Online Intrinsic Rewards for Decision Making Agents from LLM Feedback", "https://arxiv.org/abs/2410.23022"
)


PRIOR = Moments(1e-4, 0.0, 1e-4)
"""What a stream of rankings holds before its first score: mean 0 and variance 1, at a small weight."""


class Params(OperationParams):
    mode: Literal["retrieval", "classification", "ranking"] = Field(
        "retrieval",
        description="Where the intrinsic reward comes from: a table of labels, a classifier, a ranking net.",
    )
    c_ext: float = Field(0.1, description="Weight of the extrinsic reward (.1 for the Score task, 10 for the others).")
    c_int: float = Field(0.4, description="Weight of the intrinsic reward.")
    beta: float = Field(3.0, ge=0, description="Power of the count that discounts a repeated message.")
    table: str = Field("oni", description="Named table of labels (retrieval).")
    enqueue: bool = Field(True, description="Queue unseen messages for annotation (retrieval).")
    stream: str = Field("oni", description="Named running moments (ranking).")
    epsilon: float = Field(-0.5, description="Normalised scores at or below it give 0 (ranking).")


class Item(OperationItem):
    message: str = Field(description="The game's message of this step, the key of the table.")
    episode: str | None = Field(None, description="Episode, to count repetitions within the request.")
    count: int | None = Field(None, description="How often the message has come in this episode, this time included.")
    ext: float = Field(0.0, description="Extrinsic reward of the step.")
    label: bool | int | None = Field(None, description="1 or 0; in place of the table (retrieval).")
    probability: float | None = Field(None, description="The classifier's p(1) (classification).")
    score: float | None = Field(None, description="The ranking net's output (ranking).")


@operation("score", "oni", item=Item, params=Params, source=SOURCE, fidelity="verified", stateful=True)
def oni(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Extrinsic reward plus a curious one for what the game's message says.

    r = c_ext · r_ext + c_int · r_int / N^β, c_ext = .1, c_int = .4, β = 3, where N ≥ 1 counts the message in this
    episode, and

    - `retrieval` (default): r_int = the message's label in a named table, or `label`; an unseen message gives 0, is
      queued for annotation (once, however often it comes) and says so in `details.queued`
    - `classification`: r_int = 1 if `probability` > .5
    - `ranking`: z = (score − μ) / σ with running moments that the batch updates first; r_int = z if z > ε, else 0;
      ε = −.5. As in the released code a stream begins with mean 0, variance 1 and a weight of 1e-4, and n scores of one
      request add n times their sample variance to its sum of squares, a single one nothing. (That code's learner
      computes z and then leaves it unused.)

    N is `count`; without it, the message is counted over this request's items of one `episode`, in their order; with
    neither, or a count below 1, an item error. A wrong label stays until it is replaced in the table. Details:
    `intrinsic`, `count`, `queued`.
    """
    counts, invalid = _read_counts(columns)
    queued: list[bool] = [False] * columns.size
    if params.mode == "ranking":
        intrinsic = yield from _rank_observations(columns, params, invalid)
    elif params.mode == "classification":
        probability = columns.floats("probability")
        _require_values(probability, "probability", invalid)
        intrinsic = (probability > 0.5).astype(np.float64)
    else:
        intrinsic = yield from _look_up_labels(columns, params, queued, invalid)
    with np.errstate(over="ignore"):
        curious = params.c_int * intrinsic / counts**params.beta
    reward = params.c_ext * columns.floats("ext", 0.0) + curious
    return Outcome(
        reward=reward,
        details={"intrinsic": intrinsic.tolist(), "count": counts.tolist(), "queued": queued},
        invalid=invalid,
    )


def _read_counts(columns: Columns) -> tuple[FloatArray, dict[int, Invalid]]:
    counts = columns.floats("count")
    invalid: dict[int, Invalid] = {}
    seen: dict[tuple[str, str], int] = {}
    episodes, messages = columns.objects("episode"), columns.objects("message")
    for i in np.flatnonzero(np.isnan(counts)).tolist():
        if episodes[i] is None:
            invalid[i] = invalid_field("give count, or the episode to count in", "count")
            continue
        key = (episodes[i], messages[i])
        counts[i] = seen[key] = seen.get(key, 0) + 1
    for i in np.flatnonzero(counts < 1).tolist():
        invalid[i] = invalid_field("count includes this time, and is 1 or more", "count")
    return np.where(np.isnan(counts) | (counts < 1), 1.0, counts), invalid


def _require_values(values: FloatArray, name: str, invalid: dict[int, Invalid]) -> None:
    for i in np.flatnonzero(np.isnan(values)).tolist():
        invalid.setdefault(i, Invalid("missing_field", f"this mode needs {name}", param=name))


def _look_up_labels(
    columns: Columns, params: Params, queued: list[bool], invalid: dict[int, Invalid]
) -> Effectful[FloatArray]:
    labels, messages = columns.floats("label"), columns.objects("message")
    unknown = [i for i in np.flatnonzero(np.isnan(labels)).tolist() if i not in invalid]
    if unknown:
        distinct = list(dict.fromkeys(messages[i] for i in unknown))
        answers = yield from perform(LookUpLabels(params.table, distinct, params.enqueue))
        known = dict(zip(distinct, answers, strict=True))
        for i in unknown:
            answer = known[messages[i]]
            queued[i] = answer is None and params.enqueue
            labels[i] = 0.0 if answer is None else answer
    return labels


def _rank_observations(columns: Columns, params: Params, invalid: dict[int, Invalid]) -> Effectful[FloatArray]:
    scores = columns.floats("score")
    _require_values(scores, "score", invalid)
    for i in np.flatnonzero(np.abs(scores) > LARGEST).tolist():
        invalid.setdefault(i, TOO_LARGE)
    kept = scores[[i for i in range(columns.size) if i not in invalid]]
    if not len(kept):
        return np.zeros(columns.size)
    squares = float(len(kept) * kept.var(ddof=1)) if len(kept) > 1 else 0.0
    batch = Moments(float(len(kept)), float(kept.mean()), squares)
    # Merging does not depend on the order, so that what a stream begins with need not be stored.
    moments = PRIOR.merged((yield from perform(MergeMoments(params.stream, batch))))
    z = (scores - moments.mean) / np.sqrt(moments.m2 / moments.count)
    return np.where(z > params.epsilon, z, 0.0)
