"""A sample's own criteria: which of them a response meets, as a judge says or the caller."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..criteria import Criteria, Criterion, name_keys
from ..effects import Effectful, Schema
from ..grading.grade import Scale, read_grade
from ..grading.objects import make_schema, read_keys
from ..grading.verdict import read_yes_no
from ..judged import Judged, JudgeParams, JudgeQuestion, ask_panel, find_flags
from ..outcome import ItemError, Outcome, invalid_field
from ..prompts import question
from ..registry import OperationItem, operation

MOST_ASKED = 256
"""Most criteria of a sample about which a judge is asked."""

SCALE = Scale(1, 10, whole=True)
"""Grades of ``mode: implicit``."""

Read = Callable[[str], list[float]]


class Params(JudgeParams):
    mode: Literal["explicit", "implicit"] = Field(
        "explicit",
        description="explicit: the weight of the criteria that are met. implicit: one grade, 1 to 10, by all criteria.",
    )
    clip: bool = Field(True, description="explicit: a reward below 0 is 0. If not, faults may make it negative.")
    calls: Literal["one", "each"] = Field(
        "one",
        description="explicit: the judge is asked about all criteria of a sample at once, or about each by itself.",
    )
    seed: int | None = Field(
        None, ge=0, description="Shuffles the criteria that a judge is shown together. If omitted: as they come."
    )

    @model_validator(mode="after")
    def _check_calls(self) -> Self:
        if self.mode == "implicit" and self.calls == "each":
            raise ValueError("calls: each is for mode: explicit; implicit asks for one grade by all criteria")
        if self.reply is not None and self.mode == "explicit" and self.calls == "one":
            raise ValueError("reply reads one grade or verdict: set calls: each, or mode: implicit")
        return self


class Item(OperationItem):
    criteria: list[Criterion] = Field(description="What the response is judged by; the `rubric` of a sample.")
    met: list[bool] | None = Field(
        None, description="explicit: whether each criterion is met, in their order; the judge is then not asked."
    )
    prompt: str | None = Field(None, description="Prompt that the judge is shown. If omitted: none.")
    response: str | None = Field(None, description="Response to judge. If omitted: give `met` or `answers`.")
    answers: list[str] | None = Field(
        None,
        description="The judge's answers, each in the form that it is asked for: one, or with `calls: each` one per "
        "criterion; the judge is then not asked.",
    )


@operation("score", "rubric", item=Item, params=Params)
def rubric(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Share of the weight of a sample's own criteria that a response meets, as a judge says or the caller.

    explicit: S = Σ_met w / Σ_{w>0} w, R = S clipped to 0–1. A negative weight marks a fault. No positive weight: an
    item error. A criterion with `veto` that is not met makes R 0, whatever S is. With votes, a criterion counts by the
    share of the votes that say it is met, and a veto needs more than half of them. HealthBench scores so; it leaves the
    S of an answer unclipped (`clip: false`) and clips the mean over its data.

    implicit: the judge grades the response as a whole by the criteria and their weights, g from 1 to 10, and
    R = (g − 1) / 9; vetoes and tags do not count. The two modes are those of Rubrics as Rewards; this scaling and the
    wording of all questions are ours.

    In a recipe bind the criteria to the sample's own: `inputs: {criteria: {sample: rubric}}`. The judge says true or
    false of all in one flat JSON object (`calls: one`), or YES or NO of each in its last line; an answer without that
    form is an invalid score, as are more than 256 criteria to ask about. With the guard `master_key` a response without
    content meets none, has grade 1, and the judge is not asked. Details: `raw` (S), `tags` (tag -> S over its criteria,
    null without a positive weight), `met` (in the order of the criteria, 0 to 1), `vetoed`, `grade` (implicit),
    `judge_answer` (a list where there are several), `guard`.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    criteria: dict[int, Criteria] = {}
    invalid: dict[int, Invalid] = {}
    said: dict[int, list[float]] = {}
    guards: list[str | None] = [None] * columns.size
    asked: dict[int, list[JudgeQuestion]] = {}
    for i in range(columns.size):
        row = {name: values[i] for name, values in fields.items()}
        try:
            criteria[i] = own = Criteria.read(row["criteria"])
            if params.mode == "explicit":
                own.weigh([0.0] * len(own))  # what cannot be weighed is not asked about
            if row["met"] is not None:
                said[i] = _check_met(row["met"], own, params)
            elif row["answers"] is not None:
                said[i] = _read_given(row["answers"], own, params)
            elif row["response"] is None:
                raise ItemError("give the response, met or the judge's answers")
            elif (guard := params.caught(row["response"])) is not None:
                guards[i], said[i] = guard, [1.0] if params.mode == "implicit" else [0.0] * len(own)
            else:
                asked[i] = _build_questions(row["prompt"], row["response"], own, params)
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    judged: Judged[list[list[float]]] = yield from ask_panel(
        params, asked, {i: _make_reader(criteria[i], params) for i in asked}, _make_schemas(criteria, params)
    )
    said |= {i: _average(votes, params.repeats) for i, votes in judged.values.items()}
    outcome = _reward(columns.size, criteria, said, params)
    outcome.details |= {**judged.tell(columns.size), "guard": guards}
    outcome.invalid |= invalid | judged.invalid
    outcome.flags = find_flags(guards, fields["response"])
    return outcome


def _check_met(met: list[bool], criteria: Criteria, params: Params) -> list[float]:
    if params.mode == "implicit":
        raise ItemError("met is for mode: explicit; implicit needs a grade of the judge", param="met")
    if len(met) != len(criteria):
        raise ItemError(f"met must be {len(criteria)}, one per criterion", param="met")
    return [float(value) for value in met]


def _read_given(answers: list[str], criteria: Criteria, params: Params) -> list[float]:
    count = len(criteria) if params.calls == "each" else 1
    if len(answers) != count:
        raise ItemError(f"answers must be {count}, one per question", param="answers")
    read = _make_reader(criteria, params)
    return [value for answer in answers for value in read(answer)]


def _average(votes: list[list[float]], repeats: int) -> list[float]:
    """The numbers of all questions, each the mean of its votes, which stand side by side."""
    means = [np.mean(votes[start : start + repeats], axis=0) for start in range(0, len(votes), repeats)]
    return [float(value) for mean in means for value in mean]


def _reward(size: int, criteria: dict[int, Criteria], said: dict[int, list[float]], params: Params) -> Outcome:
    """Rewards of what is said of each row: a number per criterion, or the grade."""
    reward = np.full(size, np.nan)
    outcome = Outcome(reward=reward)
    names = ("grade",) if params.mode == "implicit" else ("raw", "tags", "met", "vetoed")
    details: dict[str, list[Any]] = {name: [None] * size for name in names}
    for i, values in said.items():
        if params.mode == "implicit":
            reward[i] = (values[0] - SCALE.low) / (SCALE.high - SCALE.low)
            details["grade"][i] = values[0]
            continue
        own = criteria[i]
        try:
            raw, tags = own.weigh(values), own.weigh_tags(values)
        except ItemError as error:
            outcome.invalid[i] = invalid_field(str(error), error.param)
            continue
        vetoed = own.vetoed(values)
        reward[i] = 0.0 if vetoed else min(max(raw, 0.0), 1.0) if params.clip else raw
        for name, value in zip(names, (raw, tags, values, vetoed), strict=True):
            details[name][i] = value
    outcome.details |= details
    return outcome


def _build_questions(prompt: str | None, response: str, criteria: Criteria, params: Params) -> list[JudgeQuestion]:
    if len(criteria) > MOST_ASKED:
        raise ItemError(f"a judge is asked about at most {MOST_ASKED} criteria, not {len(criteria)}", param="criteria")
    texts = {"prompt": prompt, "response": response}
    if params.mode == "explicit" and params.calls == "each":
        return [question("criterion", texts, criterion=text) for text in criteria.texts]
    places = criteria.shuffle(params.seed)
    if params.mode == "implicit":
        lines = [f"- ({criteria.weights[place]:g}) {criteria.texts[place]}" for place in places]
        low, high = f"{SCALE.low:g}", f"{SCALE.high:g}"
        return [question("criteria_grade", texts, criteria="\n".join(lines), low=low, high=high)]
    keys = name_keys(len(criteria))
    lines = [f"- {key}: {criteria.texts[place]}" for key, place in zip(keys, places, strict=True)]
    return [question("criteria", texts, criteria="\n".join(lines), keys=", ".join(f'"{key}"' for key in keys))]


def _make_reader(criteria: Criteria, params: Params) -> Read:
    """What reads one answer: the grade, whether one criterion is met, or all of them."""
    if params.mode == "implicit":
        return lambda answer: [read_grade(answer, SCALE, "grade", only=True, pattern=params.reply)]
    if params.calls == "each":
        return lambda answer: [float(read_yes_no(answer, params.reply))]
    return partial(_read_met, places=criteria.shuffle(params.seed))


def _read_met(answer: str, places: Sequence[int]) -> list[float]:
    """[k] 1 or 0, in the order of the criteria. Raises ItemError unless it says true or false of exactly all."""
    found = read_keys(answer, name_keys(len(places)))
    if not all(isinstance(value, bool) for value in found.values()):
        raise ItemError("the judge did not say true or false of each criterion")
    met = dict(zip(places, map(float, found.values()), strict=True))
    return [met[place] for place in range(len(places))]


def _make_schemas(criteria: dict[int, Criteria], params: Params) -> Schema | Callable[[int], Schema] | None:
    """The schema of the answers, or what makes that of a row's; None where they are no JSON."""
    if params.mode == "explicit" and params.calls == "each":
        return None
    if params.mode == "explicit":
        return lambda i: make_schema({key: {"type": "boolean"} for key in name_keys(len(criteria[i]))})
    grade = {"type": "integer", "minimum": int(SCALE.low), "maximum": int(SCALE.high)}
    return None if params.reply is not None else make_schema({"grade": grade})
