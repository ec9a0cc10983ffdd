"""HARMO: rules where an answer can be verified, a model where it cannot, format and length, centred in the group."""

from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy.special import expit

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..members import column, entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("HARMO: beyond monolithic rewards", "https://arxiv.org/abs/2510.05283")


class Params(OperationParams):
    p_max: float = Field(0.5, ge=0, description="Greatest length penalty (our stand-in; the paper's is not public).")
    tau: float = Field(0.5, ge=0, description="Share of the mean correct length below which a wrong answer is short.")
    squash: Literal["none", "sigmoid"] = Field(
        "none", description="sigmoid puts an unbounded model reward on (0, 1) before it is mixed."
    )


class Member(OperationItem):
    rule: float | bool | None = Field(
        None, description="Verdict of a rule, 1 or 0. If omitted: `model` counts, unless the member is `verifiable`."
    )
    model: float | None = Field(None, description="Reward model's score, on [0, 1]. If omitted: `similarity` counts.")
    similarity: float | None = Field(
        None, description="Cosine to the reference answer, used where neither rule nor model is given."
    )
    format: float | bool | None = Field(None, description="Format reward R_format, added; if omitted: 0.")
    length: float | None = Field(
        None, description="Length of the answer, in any one unit. If omitted: no length penalty."
    )
    correct: bool | float | None = Field(None, description="Whether the answer is right. If omitted: whether rule ≥ 1.")
    verifiable: bool | float | None = Field(
        None, description="Whether a rule was to judge the answer: without `rule` its reward is 0. If omitted: false."
    )


class Item(OperationItem):
    group: list[Member] = Field(description="Responses to one prompt, compared with each other.")


@operation(
    "combine",
    "harmo",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    returns="vector",
    grouped=True,
    compares="group",
)
def harmo(columns: Columns, params: Params) -> Outcome:
    """Hybrid reward of a group: rule or model, plus format, plus a penalty for short wrong answers; group-centred.

    R = R_hybrid + R_λ + R_format; advantage A = R − mean of the group (no std). R_hybrid is `rule` where there is a
    verdict, else `model`, else `similarity` (cosine to the reference answer). A member that is `verifiable` and whose
    answer could not be parsed (no rule) gets 0 and counts as neither right nor wrong; it does not fall through to the
    model.

    R_λ is our stand-in, since the published penalty is not public: with L the mean length of the correct answers,
    a wrong answer shorter than τ·L gets −p_max · (1 − length / (τ·L)); p_max = τ = .5. Without a correct answer, or
    without lengths, it is 0. Correct is `correct` if given, else rule ≥ 1; a member with neither is not penalised.

    Put model rewards on [0, 1] before (or set `squash`). A group of one has advantage 0; an empty group, or a member
    with nothing to score it by, is an item error. `rewards` are R; details: `advantage`, `hybrid`,
    `length_penalty`, `source` of each member.
    """
    groups = columns.objects("group")

    def compute_row(i: int) -> Row:
        group = groups[i]
        if not len(group):
            raise ItemError("the group has no members", param="group")
        pairs = [_hybrid_reward(member, place, params) for place, member in enumerate(group)]
        hybrid = np.array([value for value, _ in pairs])
        penalty = _short_and_wrong(group, params)
        rewards = hybrid + penalty + column(group, "format", 0.0)
        return Row(
            rewards=rewards.tolist(),
            details={
                "advantage": (rewards - rewards.mean()).tolist(),
                "hybrid": hybrid.tolist(),
                "length_penalty": penalty.tolist(),
                "source": [source for _, source in pairs],
            },
        )

    return by_row(columns.size, compute_row)


def _hybrid_reward(member: Any, place: int, params: Params) -> tuple[float, str]:
    rule = entry(member, "rule")
    if rule is not None:
        return float(rule), "rule"
    if entry(member, "verifiable", False):
        return 0.0, "unparsed"
    model = entry(member, "model")
    if model is not None:
        return float(expit(model) if params.squash == "sigmoid" else model), "model"
    similarity = entry(member, "similarity")
    if similarity is None:
        raise ItemError(f"group[{place}] has neither rule nor model nor similarity", param=f"group[{place}]")
    return float(similarity), "similarity"


def _short_and_wrong(group: Any, params: Params) -> FloatArray:
    lengths = np.maximum(column(group, "length"), 0.0)
    verdicts = column(group, "correct")
    rules = column(group, "rule")
    correct = np.where(np.isnan(verdicts), rules >= 1, verdicts > 0)
    known = ~(np.isnan(verdicts) & np.isnan(rules))
    counted = lengths[correct & known & ~np.isnan(lengths)]
    if counted.size == 0:
        return np.zeros(len(lengths))
    short = params.tau * float(counted.mean())
    wrong = known & ~correct & (lengths < short)
    penalty = np.zeros(len(lengths))
    penalty[wrong] = -params.p_max * (1.0 - lengths[wrong] / short)
    return penalty
