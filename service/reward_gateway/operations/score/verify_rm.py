"""Cooper's VerifyRM: is a completion right, given the reference answer."""

import numpy as np
from pydantic import Field
from scipy.special import expit

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..effects import Effectful
from ..hosted import ask_model, samples
from ..names import HostedReward
from ..outcome import Outcome
from ..reading.alternatives import Reference
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Cooper: co-optimizing policy and reward models", "https://arxiv.org/abs/2508.05613")

TEMPLATE = (
    "<question>{question}</question>\n"
    "<reference_answer>{reference}</reference_answer>\n"
    "<completion>{completion}</completion>"
)


class Params(OperationParams):
    model: HostedReward = Field("verify_rm", description="Hosted verifier; its number is the logit.")
    binary: bool = Field(True, description="Answer 1 or 0 by the threshold; false: the probability.")
    threshold: float = Field(0.5, ge=0, le=1, description="A probability above this counts as right.")


class Item(OperationItem):
    logit: float | None = Field(None, description="The verifier's logit. If omitted: the hosted verifier is asked.")
    question: str | None = Field(None, description="Question, for the hosted verifier.")
    reference: Reference | None = Field(None, description="Reference answer, for the hosted verifier.")
    completion: str | None = Field(None, description="Completion to verify.")
    truncated: bool = Field(
        False, description="Whether the completion was cut off: it is scored and flagged. If omitted: false."
    )


@operation("score", "verify_rm", item=Item, params=Params, source=SOURCE, fidelity="verified")
def verify_rm(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Whether a verifier calls a completion right: 1 if σ(logit) > .5, else 0.

    `binary: false` gives σ(logit) itself, which stands in `details.probability` in any case. Give the `logit`, or
    `question`, `reference` and `completion`, which the hosted verifier reads as
    `<question>…</question>⏎<reference_answer>…</reference_answer>⏎<completion>…</completion>`. The verifier is updated
    while the policy trains: `details.model_version` says which one answered. A truncated completion is scored and
    flagged. The update's loss on pairs is `audit/preference_loss`.
    """
    fields = {name: columns.objects(name) for name in ("question", "reference", "completion", "truncated")}
    logits = columns.floats("logit").copy()
    invalid: dict[int, Invalid] = {}
    asked, texts = [], []
    for i in np.flatnonzero(np.isnan(logits)).tolist():
        parts = {name: fields[name][i] for name in ("question", "reference", "completion")}
        if any(part is None for part in parts.values()):
            reason = "give the logit, or question, reference and completion"
            invalid[i] = Invalid("missing_field", reason, param="logit")
        else:
            asked.append(i)
            texts.append(TEMPLATE.format(**parts))
    answer = yield from ask_model(params.model, samples(len(asked), responses=texts), asked, columns.size)
    logits[asked] = answer.values[asked, 0]
    probability = expit(logits)
    flags = dict(answer.flags)
    for i, truncated in enumerate(fields["truncated"]):
        if truncated:
            flags[i] = tuple(dict.fromkeys((*flags.get(i, ()), "truncated")))
    reward = np.where(np.isnan(logits), np.nan, probability > params.threshold) if params.binary else probability
    hosted = set(asked)
    versions = [answer.version if i in hosted else None for i in range(columns.size)] if asked else None
    return Outcome(
        reward=np.asarray(reward, dtype=np.float64),
        details={"probability": probability.tolist(), **({"model_version": versions} if versions else {})},
        invalid=invalid | answer.invalid,
        flags=flags,
    )
