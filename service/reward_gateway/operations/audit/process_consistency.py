"""Which responses of a group to train on: those whose steps agree with their outcome."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..members import column, entry
from ..numerics import require_finite
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation


class Params(OperationParams):
    m: int = Field(ge=1, description="How many are kept.")


class Member(OperationItem):
    correct: bool | float = Field(description="Whether the response is right: true, or a number above 0.5.")
    steps: list[float] = Field(description="A process reward model's score of each step, at least one.")


class Item(OperationItem):
    group: list[Member] = Field(description="All responses to one prompt; m of them or more.")


def choose(correct: Sequence[bool], means: FloatArray, m: int) -> list[int]:
    """The places of the m that are kept, ascending.

    Args:
        means: [n] the mean step score of each response, n at least m.
    """
    right, wrong = np.flatnonzero(correct), np.flatnonzero(~np.asarray(correct, dtype=bool))
    dropped = len(means) - m
    dropped_right = min(max(round((len(right) - len(wrong) + dropped) / 2), 0), dropped)
    lowest_right = right[np.argsort(means[right], kind="stable")]
    highest_wrong = wrong[np.argsort(-means[wrong], kind="stable")]
    kept = [*lowest_right[dropped_right:].tolist(), *highest_wrong[dropped - dropped_right :].tolist()]
    return sorted(kept)


@operation(
    "audit",
    "process_consistency",
    item=Item,
    params=Params,
    source=Source(
        "Beyond Correctness: Harmonizing Process and Outcome Rewards through RL Training (PROF)",
        "https://arxiv.org/abs/2509.03403",
    ),
    fidelity="verified",
)
def process_consistency(columns: Columns, params: Params) -> Outcome:
    """The m responses of a group to train on: right and wrong in balance, those whose steps agree with the outcome.

    Of the right responses those with the highest mean step score are kept, of the wrong ones those with the lowest
    (PROF). n − m are dropped, of which max(0, min(n − m, (right − wrong + n − m) / 2)) right ones: what is kept of both
    is as equal as can be. A half is rounded to the even number, and of equal means those that come first are dropped,
    both as the authors' code does; its charge for responses of one step or of more than 30 is left out.

    reward = the share of right responses among those that are kept. Details: `keep` (places, ascending), `right` and
    `wrong` (how many of each are kept), `means` (per response). Fewer than m responses, and one without steps, which
    nothing judges, are an item error.
    """
    groups = columns.objects("group")

    def compute_row(i: int) -> Row:
        members = groups[i]
        if len(members) < params.m:
            raise ItemError(f"there are {len(members)} responses for m = {params.m}", param="group")
        correct = [bool(right > 0.5) for right in column(members, "correct").tolist()]
        means = np.array([_average(entry(member, "steps", []), place) for place, member in enumerate(members)])
        keep = choose(correct, means, params.m)
        right = sum(correct[place] for place in keep)
        details = {"keep": keep, "right": right, "wrong": len(keep) - right, "means": means}
        return Row(reward=right / len(keep), details=details)

    return by_row(columns.size, compute_row)


def _average(steps: Sequence[float], place: int) -> float:
    name = f"group[{place}].steps"
    if not len(steps):
        raise ItemError(f"{name} is empty: without a step's score nothing tells whether the process agrees", name)
    return float(require_finite(np.asarray(np.mean(steps)), name))
