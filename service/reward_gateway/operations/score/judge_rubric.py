"""A judge grades a response by criteria."""

from functools import partial
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import FloatArray, Invalid

from ..columns import Columns
from ..effects import Effectful, JudgeAnswer
from ..grading.expected import expect_grades, fits_expected
from ..grading.grade import Scale, read_grade
from ..grading.objects import make_schema, read_keys
from ..judged import Judged, JudgeParams, JudgeQuestion, ask_panel, check_weights, find_flags
from ..outcome import ItemError, Outcome, invalid_field
from ..prompts import question
from ..reading.alternatives import Reference
from ..registry import OperationItem, operation


class Params(JudgeParams):
    criteria: dict[str, str] = Field(
        {"quality": "How well the response does what the prompt asks, all in all."},
        min_length=1,
        max_length=32,
        description="Criterion -> what it asks.",
    )
    weights: dict[str, float] | None = Field(
        None, description="Criterion -> weight, at least 0. If omitted: all equal."
    )
    low: int = Field(1, description="The worst grade.")
    high: int = Field(10, description="The best grade.")
    grade: Literal["given", "expected"] = Field(
        "given",
        description="given: the grade that the judge gives. expected: all grades, weighed by their probabilities in "
        "its place; needs a scale of whole numbers within 0 to 9, and a server that tells log-probabilities.",
    )

    @model_validator(mode="after")
    def _check_criteria(self) -> Self:
        if self.high <= self.low:
            raise ValueError("high must be above low")
        if self.grade == "expected" and not fits_expected(self.low, self.high):
            raise ValueError("grade: expected needs grades of one digit: set low and high within 0 to 9")
        if self.reply is not None and len(self.criteria) > 1:
            raise ValueError("reply reads one grade: give one criterion")
        check_weights(self.weights, self.criteria, "criterion")
        return self

    @property
    def scale(self) -> Scale:
        """What a grade is."""
        return Scale(self.low, self.high, whole=self.grade == "expected")


class Item(OperationItem):
    prompt: str | None = Field(None, description="Prompt that the judge is shown. If omitted: none.")
    response: str | None = Field(None, description="Response to grade. If omitted: the item has to give `answer`.")
    reference: Reference | None = Field(None, description="Reference answer that the judge is shown. If omitted: none.")
    answer: str | None = Field(
        None, description="The judge's answer, which ends with a JSON object of grades; the judge is then not asked."
    )


def parse_grades(answer: str, params: Params) -> FloatArray:
    """[k] grades in the order of the criteria.

    Raises:
        ItemError: the answer does not give exactly the grades that were asked for, within their range.
    """
    scale = params.scale
    if len(params.criteria) == 1:
        return np.array([read_grade(answer, scale, next(iter(params.criteria)), only=True, pattern=params.reply)])
    found = read_keys(answer, params.criteria)
    return np.array([scale.check(found[name]) for name in params.criteria])


def _weigh_grades(answer: JudgeAnswer, params: Params) -> FloatArray:
    """[k] expected grades, in the order of the criteria. Raises ItemError."""
    return np.array(expect_grades(answer, lambda text: parse_grades(text, params).tolist(), params.scale))


@operation("score", "judge_rubric", item=Item, params=Params)
def judge_rubric(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Grade of a response by a judge, criterion by criterion, scaled to 0–1.

    R = Σ_c w_c · (s_c − low) / (high − low) / Σ_c w_c, s_c the grade of criterion c, from 1 to 10; with `votes`, its
    mean over the votes. The judge must end with one flat JSON object of exactly the criteria (a `reason` may stand with
    them), each with a number within the range. Of one criterion a last line "label: N" or "N/10", N alone, or the only
    N/10 of the answer are read too. Anything else is an invalid score.

    With `grade: expected` (and, say, `low: 1, high: 5`) s_c is Σ g · p(g) / Σ p(g), p(g) the probability of the grade g
    in place of the one that was given; a sum of the p(g) below .5 is an invalid score.

    Give `prompt`, `response` and, where there is one, `reference`; or the judge's `answer`. With the guard `master_key`
    a response without content is scored 0 and the judge is not asked. Details: `grades` (criterion -> s_c),
    `judge_answer` (a list where there are votes), `guard`.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    invalid: dict[int, Invalid] = {}
    grades: dict[int, FloatArray] = {}
    guards: list[str | None] = [None] * columns.size
    asked: dict[int, list[JudgeQuestion]] = {}
    for i in range(columns.size):
        response, reference = fields["response"][i], fields["reference"][i]
        try:
            if fields["answer"][i] is not None and params.grade == "expected":
                raise ItemError("grade: expected needs the tokens of the judge: give the response", param="answer")
            if fields["answer"][i] is not None:
                grades[i] = parse_grades(fields["answer"][i], params)
            elif response is None:
                raise ItemError("give the response, or the judge's answer")
            elif (guard := params.caught(response, reference)) is not None:
                guards[i], grades[i] = guard, np.full(len(params.criteria), float(params.low))
            else:
                asked[i] = [_build_question(fields["prompt"][i], response, reference, params)]
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    judged: Judged[list[FloatArray]] = yield from ask_panel(
        params,
        asked,
        partial(parse_grades, params=params),
        _make_schema(params),
        partial(_weigh_grades, params=params) if params.grade == "expected" else None,
    )
    grades |= {i: np.mean(votes, axis=0) for i, votes in judged.values.items()}
    weights = np.array([1.0 if params.weights is None else params.weights[name] for name in params.criteria])
    reward = np.full(columns.size, np.nan)
    for i, own in grades.items():
        reward[i] = float(((own - params.low) / (params.high - params.low)) @ (weights / weights.sum()))
    table = [
        dict(zip(params.criteria, grades[i].tolist(), strict=True)) if i in grades else None
        for i in range(columns.size)
    ]
    return Outcome(
        reward=reward,
        details={"grades": table, **judged.tell(columns.size), "guard": guards},
        invalid=invalid | judged.invalid,
        flags=find_flags(guards, fields["response"]),
    )


def _make_schema(params: Params) -> dict[str, Any] | None:
    """The answer's schema; None for a trained judge, which has a form of its own."""
    grade = {"type": "integer" if params.scale.whole else "number", "minimum": params.low, "maximum": params.high}
    return None if params.reply is not None else make_schema(dict.fromkeys(params.criteria, grade))


def _build_question(prompt: str | None, response: str, reference: str | None, params: Params) -> JudgeQuestion:
    return question(
        "rubric",
        {"prompt": prompt, "reference": reference, "response": response},
        number="a whole number" if params.scale.whole else "a number",
        low=str(params.low),
        high=str(params.high),
        criteria="\n".join(f"- {name}: {text}" for name, text in params.criteria.items()),
        keys=", ".join(f'"{name}"' for name in params.criteria),
    )
