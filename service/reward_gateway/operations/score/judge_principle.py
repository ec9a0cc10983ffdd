"""A judge says which principles a response keeps."""

from functools import partial
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..effects import Effectful
from ..grading.verdict import read_yes_no
from ..judged import Judged, JudgeParams, JudgeQuestion, ask_panel, check_weights, find_flags
from ..outcome import ItemError, Outcome, invalid_field
from ..prompts import question
from ..reading.alternatives import Reference
from ..registry import OperationItem, operation


class Params(JudgeParams):
    principles: dict[str, str] = Field(
        {"helpful": "The response does what the prompt asks."},
        min_length=1,
        max_length=32,
        description="Name of a principle -> what it says; the judge is asked about each by itself.",
    )
    weights: dict[str, float] | None = Field(
        None, description="Name of a principle -> weight, at least 0. If omitted: all equal."
    )

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        check_weights(self.weights, self.principles, "principle")
        return self


class Item(OperationItem):
    prompt: str | None = Field(None, description="Prompt that the judge is shown. If omitted: none.")
    response: str | None = Field(None, description="Response to judge. If omitted: the item has to give `answers`.")
    reference: Reference | None = Field(None, description="Reference answer that the judge is shown. If omitted: none.")
    answers: list[str] | None = Field(
        None,
        description="The judge's answers, one per principle, YES or NO in the last line; the judge is then not asked.",
    )


@operation("score", "judge_principle", item=Item, params=Params)
def judge_principle(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Share of the principles that a response keeps, as a judge says of one after the other.

    R = Σ_p w_p · k_p / Σ_p w_p, k_p 1 if the judge says YES of principle p, else 0; with votes, the share of YES. The
    judge sees prompt, reference, response and one principle, and must answer YES or NO in its last line; anything else,
    of any principle, is an invalid score. The wording is ours.

    Give `prompt`, `response` and, where there is one, `reference`; or the judge's `answers`. With the guard
    `master_key` a response without content is scored 0 and the judge is not asked. Details: `kept` (principle -> k_p),
    `judge_answer` (a list where there are several principles or votes), `guard`.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    invalid: dict[int, Invalid] = {}
    kept: dict[int, list[float]] = {}
    guards: list[str | None] = [None] * columns.size
    asked: dict[int, list[JudgeQuestion]] = {}
    for i in range(columns.size):
        row = {name: values[i] for name, values in fields.items()}
        try:
            if row["answers"] is not None:
                kept[i] = _read_given(row["answers"], params)
            elif row["response"] is None:
                raise ItemError("give the response, or the judge's answers")
            elif (guard := params.caught(row["response"], row["reference"])) is not None:
                guards[i], kept[i] = guard, [0.0] * len(params.principles)
            else:
                asked[i] = [_build_question(row, principle) for principle in params.principles.values()]
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    judged: Judged[list[bool]] = yield from ask_panel(params, asked, partial(read_yes_no, pattern=params.reply))
    for i, votes in judged.values.items():
        kept[i] = np.mean(np.reshape(votes, (len(params.principles), params.repeats)), axis=1).tolist()
    weights = np.array([1.0 if params.weights is None else params.weights[name] for name in params.principles])
    reward = np.full(columns.size, np.nan)
    for i, own in kept.items():
        reward[i] = float(np.array(own) @ (weights / weights.sum()))
    table = [dict(zip(params.principles, kept[i], strict=True)) if i in kept else None for i in range(columns.size)]
    return Outcome(
        reward=reward,
        details={"kept": table, **judged.tell(columns.size), "guard": guards},
        invalid=invalid | judged.invalid,
        flags=find_flags(guards, fields["response"]),
    )


def _read_given(answers: list[str], params: Params) -> list[float]:
    if len(answers) != len(params.principles):
        raise ItemError(f"answers must be {len(params.principles)}, one per principle", param="answers")
    return [float(read_yes_no(answer, params.reply)) for answer in answers]


def _build_question(row: dict[str, Any], principle: str) -> JudgeQuestion:
    texts = {name: row[name] for name in ("prompt", "reference", "response")}
    return question("principle", texts, principle=principle)
