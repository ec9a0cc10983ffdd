"""ReNorm (PPR): process rewards that can never pay for a wrong outcome."""

from typing import Any

from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Principle process rewards with reward normalization (PPR)", "https://arxiv.org/abs/2509.25598")


class Params(OperationParams):
    beta: float = Field(1.0, description="Subtracted from process + outcome (renorm_beta).")


class Item(OperationItem):
    process: list[list[float] | float | None] = Field(
        description="One judgement per turn, the last excepted: [score, max], a number in [0, 1], or null if missing."
    )
    outcome: float | bool = Field(description="Reward of the last turn, in [0, 1]; clipped to it.")
    turns: int | None = Field(
        None, description="Number of turns, to check: one more than the judgements. If omitted: not checked."
    )


def process_score(judged: Any) -> float | None:
    """A judged turn as a number in [0, 1]: [score, max], or that number itself; None if it is no valid judgement.

    Raises:
        ItemError: neither a pair nor a number.
    """
    if judged is None:
        return None
    if isinstance(judged, (int, float)):
        score, most = float(judged), 1.0
    elif len(judged) == 2:
        score, most = float(judged[0]), float(judged[1])
    else:
        raise ItemError("a process score is [score, max], a number in [0, 1], or null", param="process")
    return score / most if most > 0 and 0 <= score <= most else None


@operation(
    "credit",
    "renorm",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="verified",
    returns="vector",
    turn_fields={"process": -1},
)
def renorm(columns: Columns, params: Params) -> Outcome:
    """One reward per turn from judged turns and an outcome, renormalised.

    process_t = score_t / max_t for every turn but the last; a judgement that is missing or invalid (max ≤ 0, or score
    outside [0, max]) leaves it 0. Reward of a turn but the last: process_t + outcome − β, β = 1; of the last turn:
    the outcome. So a wrong outcome (0) keeps every turn in [−1, 0] and a right one (1) in [0, 1].

    `process` holds one judgement a turn but the last; with none the one reward is the outcome. `turns`, if given, must
    be one more than the judgements. An outcome outside [0, 1] would break the sign property: it is clipped and the
    item flagged `outcome_clipped` (our choice). `reward` is the clipped outcome. Details: `process`, `judged` (which
    turns had a valid judgement).

    In a recipe, whose rewards are trained on, a sample with a judgement that is missing or invalid has no reward.
    """
    process, outcomes, turns = columns.objects("process"), columns.floats("outcome"), columns.objects("turns")

    unjudged: dict[int, Invalid] = {}

    def compute_row(i: int) -> Row:
        judgements = [process_score(judged) for judged in (process[i] if process[i] is not None else ())]
        expected = len(judgements) + 1
        if turns[i] is not None and int(turns[i]) != expected:
            raise ItemError(
                f"{expected - 1} judgements are for {expected} turns, and turns is {int(turns[i])}", param="turns"
            )
        outcome = min(max(float(outcomes[i]), 0.0), 1.0)
        scores = [score if score is not None else 0.0 for score in judgements]
        if None in judgements:
            turn = judgements.index(None)
            message = f"process[{turn}]: no score in [0, 1], nor a [score, max] with 0 ≤ score ≤ max and max > 0"
            unjudged[i] = invalid_field(message, f"process[{turn}]")
        return Row(
            outcome,
            rewards=[score + outcome - params.beta for score in scores] + [outcome],
            details={"process": scores, "judged": [score is not None for score in judgements]},
            flags=("outcome_clipped",) if outcome != outcomes[i] else (),
        )

    answered = by_row(columns.size, compute_row)
    answered.stood_in = unjudged
    return answered
