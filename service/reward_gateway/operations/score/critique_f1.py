"""RM-NLHF: a generative reward model is paid for the right choice and for the right reasons."""

from typing import Any

import numpy as np
from pydantic import Field, create_model

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..effects import Effectful
from ..grading.objects import make_schema, read_object
from ..judged import JudgeQuestion, ask_judge, find_injections
from ..names import JudgeName
from ..outcome import ItemError, Outcome, invalid_field
from ..prompts import question
from ..registry import OperationItem, OperationParams, Source, operation
from ..time_limits import tell_limits

SOURCE = Source("Reward Modeling from Natural Language Human Feedback (RM-NLHF)", "https://arxiv.org/abs/2601.07349")

SCHEMA = make_schema({key: {"type": "integer", "minimum": 0} for key in ("human_points", "model_points", "matched")})

# "lambda" is a keyword of the language, so that the class cannot be written out.
_FIELDS: dict[str, Any] = {
    "lambda": (float, Field(1.0, ge=0, description="Weight of the process reward; our default.")),
    "extractor": (
        JudgeName | None,
        Field(None, description="Configured judge that extracts arguments from critiques."),
    ),
}
Params = create_model("Params", __base__=OperationParams, **_FIELDS)


class Item(OperationItem):
    outcome: float | bool = Field(description="Outcome reward, 1 or 0 for a verdict.")
    human_points: int | None = Field(
        None, description="Number of arguments of the human critique; all three counts, or none."
    )
    model_points: int | None = Field(None, description="Number of arguments of the model's critique.")
    matched: int | None = Field(None, description="Number of arguments that both share.")
    process: float | None = Field(
        None, description="What a MetaRM predicts in place of F1. Left out, with the rest: the outcome alone."
    )
    human_critique: str | None = Field(
        None, description="Human critique as text, for the extractor to count where there are no counts."
    )
    model_critique: str | None = Field(None, description="The model's critique as text.")
    extractor: str | None = Field(
        None, description="Configured judge that counts arguments. If omitted: that of the params."
    )


def f1(human: int, model: int, matched: int) -> float:
    """F1 of matched arguments, 2·matched / (human + model); 0 where there are none on either side.

    Raises:
        ItemError: a count is negative, or more are matched than either side has.
    """
    if min(human, model, matched) < 0 or matched > min(human, model):
        raise ItemError("matched must lie between 0 and the lesser of human_points and model_points")
    return 2.0 * matched / (human + model) if matched else 0.0


def parse_counts(answer: str) -> tuple[int, int, int]:
    """The three counts in an extractor's answer."""
    found = read_object(answer)
    counts = [found.get(name) for name in ("human_points", "model_points", "matched")]
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts):
        raise ItemError("the extractor must give human_points, model_points and matched")
    human, model, matched = (int(count) for count in counts if count is not None)
    f1(human, model, matched)
    return human, model, matched


@operation("score", "critique_f1", item=Item, params=Params, source=SOURCE, fidelity="second-hand")
def critique_f1(columns: Columns, params: Any) -> Effectful[Outcome]:
    """Outcome plus F1 of a critique's arguments against a human's: R = outcome + λ·F1.

    F1 = 2·matched / (human_points + model_points); 0 where either critique has no argument, or both have none.
    λ = 1 (our default: the published value is not known). A wrong outcome with good reasons still earns them.

    Give the counts; or `human_critique` and `model_critique`, whose arguments the `extractor` judge (of the item or of
    the params) counts; or `process`, what a MetaRM predicts where there is no human critique. With none of these the
    process part is left out. Details: `f1` (or null), `precision`, `recall`, `process_source` (counts, extractor,
    meta_rm or none), `judge_answer`. Counts that cannot be are an item error.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    outcomes = columns.floats("outcome")
    counts: list[tuple[int, int, int] | None] = [None] * columns.size
    process: list[float | None] = [None] * columns.size
    sources = ["none"] * columns.size
    invalid: dict[int, Invalid] = {}
    asked: dict[str, dict[int, JudgeQuestion]] = {}
    for i in range(columns.size):
        row = {name: values[i] for name, values in fields.items()}
        numbers = [row["human_points"], row["model_points"], row["matched"]]
        extractor = row["extractor"] or params.extractor
        if all(number is not None for number in numbers):
            counts[i], sources[i] = (int(numbers[0]), int(numbers[1]), int(numbers[2])), "counts"
        elif any(number is not None for number in numbers):
            invalid[i] = invalid_field("give all of human_points, model_points and matched")
        elif row["human_critique"] is not None and row["model_critique"] is not None and extractor:
            critiques = {name: row[name] for name in ("human_critique", "model_critique")}
            asked.setdefault(extractor, {})[i] = question("critique_points", critiques)
            sources[i] = "extractor"
        elif row["process"] is not None:
            process[i], sources[i] = float(row["process"]), "meta_rm"
    words: dict[int, str] = {}
    limits: dict[int, float] = {}
    for extractor, conversations in asked.items():
        judged = yield from ask_judge(extractor, conversations, parse_counts, schema=SCHEMA)
        invalid |= judged.invalid
        words |= judged.answers
        limits |= judged.limits
        for i, found in judged.values.items():
            counts[i] = found
    for i, given in enumerate(counts):
        try:
            process[i] = process[i] if given is None else f1(*given)
        except ItemError as error:
            invalid[i] = invalid_field(str(error), "matched")
    bonus = np.array([0.0 if value is None else value for value in process])
    return Outcome(
        reward=outcomes + getattr(params, "lambda") * bonus,
        details={
            "f1": process,
            "precision": [None if c is None else c[2] / c[1] if c[1] else 0.0 for c in counts],
            "recall": [None if c is None else c[2] / c[0] if c[0] else 0.0 for c in counts],
            "process_source": sources,
            "judge_answer": [words.get(i) for i in range(columns.size)],
            **tell_limits(columns.size, limits),
        },
        invalid=invalid,
        flags=find_injections(fields["model_critique"]),
    )
