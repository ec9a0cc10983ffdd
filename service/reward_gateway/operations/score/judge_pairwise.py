"""A judge compares two responses, in both orders."""

from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..effects import Effectful
from ..judged import Judged, JudgeParams, JudgeQuestion, ask_panel, find_flags
from ..outcome import ItemError, Outcome, invalid_field
from ..pair_judging import (
    INSTRUCTION,
    SWAPPED,
    Verdict,
    average_points,
    build_questions,
    join_orders,
    parse_verdict,
    share_agreed,
)
from ..reading.alternatives import Reference
from ..registry import OperationItem, operation

_WINNER: dict[Verdict, str] = {"A": "response", "B": "other", "TIE": "tie"}


class Params(JudgeParams):
    instruction: str = Field(INSTRUCTION, description="What the comparison goes by.")


class Item(OperationItem):
    prompt: str | None = Field(
        None, description="Prompt of both responses, which the judge is shown. If omitted: none."
    )
    response: str | None = Field(
        None, description="Response that should win. If omitted: the item has to give `answers`."
    )
    other: str | None = Field(None, description="Response that it is compared with; needed with `response`.")
    reference: Reference | None = Field(None, description="Reference answer that the judge is shown. If omitted: none.")
    answers: list[str] | None = Field(None, description="The judge's two answers: as given, and with the two swapped.")


@operation("score", "judge_pairwise", item=Item, params=Params)
def judge_pairwise(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Whether a response beats another one: 1, 0, or .5 for a tie, by a judge who sees them in both orders.

    The judge is asked twice, the second time with the two swapped. Verdicts that agree count; verdicts that do not, and
    two ties, are a tie. So a judge that goes by the order alone gives .5; a disagreement of the two orders is flagged
    `position_disagreement`. With `votes`, the mean over pairs of votes.

    Give `prompt`, `response`, `other` and, where there is one, `reference`; or the judge's two `answers`. The last line
    of an answer holds the verdict alone; any other answer makes the score invalid. With the guard `master_key` a
    response without content loses, two such tie, and the judge is not asked. Details: `verdict` (response, other or
    tie), `agreed` (share of the pairs of votes that agree), `judge_answer` (all answers), `guard`.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    invalid: dict[int, Invalid] = {}
    pairs: dict[int, list[tuple[Verdict, Verdict]]] = {}
    guards: list[str | None] = [None] * columns.size
    asked: dict[int, list[JudgeQuestion]] = {}
    for i in range(columns.size):
        row = {name: values[i] for name, values in fields.items()}
        try:
            if row["answers"] is not None:
                pairs[i] = [_read_verdicts(row["answers"], params.reply)]
            elif row["response"] is None or row["other"] is None:
                raise ItemError("give response and other, or the judge's two answers")
            elif empty := _find_empty_responses(row, params):
                guards[i] = "master_key"
                verdict: Verdict = "TIE" if len(empty) == 2 else "A" if empty == ["other"] else "B"
                pairs[i] = [(verdict, verdict)]
            else:
                shown = {"prompt": row["prompt"], "reference": row["reference"]}
                asked[i] = build_questions(row["response"], row["other"], params.instruction, **shown)
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    judged: Judged[list[Verdict]] = yield from ask_panel(
        params, asked, lambda answer: parse_verdict(answer, params.reply)
    )
    for i, own in judged.values.items():
        pairs[i] = join_orders(own, params.repeats)
    reward = np.full(columns.size, np.nan)
    verdicts: list[str | None] = [None] * columns.size
    agreed: list[float | None] = [None] * columns.size
    for i, votes in pairs.items():
        reward[i] = average_points(votes)
        verdicts[i] = _WINNER["A" if reward[i] > 0.5 else "B" if reward[i] < 0.5 else "TIE"]
        agreed[i] = share_agreed(votes)
    return Outcome(
        reward=reward,
        details={"verdict": verdicts, "agreed": agreed, **judged.tell(columns.size), "guard": guards},
        invalid=invalid | judged.invalid,
        flags=find_flags(guards, fields["response"], fields["other"], agreed=agreed),
    )


def _read_verdicts(answers: list[str], pattern: str | None) -> tuple[Verdict, Verdict]:
    if len(answers) != 2:
        raise ItemError("answers must be two: as given, and with the two swapped", param="answers")
    return parse_verdict(answers[0], pattern), SWAPPED[parse_verdict(answers[1], pattern)]


def _find_empty_responses(row: dict[str, Any], params: Params) -> list[str]:
    """Which of the two say nothing."""
    return [name for name in ("response", "other") if params.caught(row[name], row["reference"]) is not None]
