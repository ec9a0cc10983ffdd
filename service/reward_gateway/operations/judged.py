"""Rows that a judge answers: ask for those that need it, keep every failure as its row's reason."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator

from reward_gateway.sample import Invalid
from reward_gateway.sample.flags import JUDGE_INJECTION, POSITION_DISAGREEMENT

from .effects import (
    AskJudge,
    AskJudgeAgain,
    AskJudgeForTokens,
    Effectful,
    FindJudgeLimits,
    JudgeAnswer,
    Schema,
    perform,
)
from .grading.marks import MarkPattern
from .judge_questions import JudgeQuestion
from .master_keys import content_free
from .names import JudgeName
from .outcome import ItemError
from .prompts import closes_section
from .registry import OperationParams
from .time_limits import merge_limits, tell_limits

__all__ = [
    "JudgeParams",
    "JudgeQuestion",
    "Judged",
    "ask_judge",
    "ask_panel",
    "find_flags",
    "find_injections",
]

T = TypeVar("T")


class JudgeParams(OperationParams):
    """What every operation that asks a judge of the operator's choice takes."""

    judge: JudgeName = Field("judge", description="Configured judge.")
    temperature: float | None = Field(
        None, ge=0, le=2, description="If omitted: the judge's own, which is 0 by default."
    )
    votes: int = Field(1, ge=1, le=64, description="Times that a question is asked; its numbers are averaged.")
    samples: int | None = Field(
        None, ge=1, le=64, description="As votes, for answers drawn at a temperature above 0 that may be cached."
    )
    reply: MarkPattern | None = Field(
        None,
        description="Form of a trained judge's answer: regular expression whose one group holds the grade or verdict, "
        r"such as \[\[(\d+)\]\]. If omitted: that which the question asks for.",
    )
    guards: list[Literal["master_key"]] = Field(
        [], description="master_key: a response without content is scored 0 and the judge not asked."
    )

    @model_validator(mode="after")
    def _one_count(self) -> Self:
        if self.samples is not None and "votes" in self.model_fields_set:
            raise ValueError("give votes or samples: both say how often a question is asked")
        return self

    @property
    def repeats(self) -> int:
        """Times that a question is asked."""
        return self.samples or self.votes

    def caught(self, response: str, reference: str | None = None) -> str | None:
        """The guard that stops a response from being shown to the judge."""
        return "master_key" if "master_key" in self.guards and content_free(response, reference) else None


def check_weights(weights: Mapping[str, float] | None, names: Collection[str], noun: str) -> None:
    """Raises ValueError unless weights name every one of the names, and are at least 0 and not all 0.

    Args:
        weights: None: all equal.
        noun: what the names are, for the message.
    """
    if weights is None:
        return
    if set(weights) != set(names):
        raise ValueError(f"weights must name every {noun}, and nothing else")
    if min(weights.values()) < 0 or sum(weights.values()) <= 0:
        raise ValueError("weights must be at least 0, and not all 0")


@dataclass(slots=True)
class Judged(Generic[T]):
    """What was read from the judge's answers, its words, and why some rows have none."""

    values: dict[int, T] = field(default_factory=dict)
    answers: dict[int, Any] = field(default_factory=dict)
    invalid: dict[int, Invalid] = field(default_factory=dict)
    limits: dict[int, float] = field(default_factory=dict)
    """How long a request may have taken, where its problem has a limit of its own."""

    def limits_of(self, owners: Sequence[int]) -> dict[int, float]:
        """The shortest limit of several questions about an item.

        Args:
            owners: the item of each question.
        """
        return merge_limits(*({owners[number]: limit_s} for number, limit_s in self.limits.items()))

    def words(self, size: int) -> list[Any]:
        """[size] the judge's words, None where it was not asked or gave none: ``details.judge_answer``."""
        return [self.answers.get(i) for i in range(size)]

    def tell(self, size: int) -> dict[str, Sequence[Any]]:
        """The details of ``size`` rows: the judge's words, and the limits of their problems where they have some."""
        return {"judge_answer": self.words(size), **tell_limits(size, self.limits)}


def find_injections(*columns: Sequence[Any]) -> dict[int, tuple[str, ...]]:
    """``judge_injection`` for rows with a text, or a text in a list, that tries to end its own section."""
    rows = {
        i
        for column in columns
        for i, value in enumerate(column)
        if any(map(closes_section, [value] if value is None or isinstance(value, str) else value))
    }
    return dict.fromkeys(sorted(rows), (JUDGE_INJECTION,))


def find_flags(
    guards: Sequence[str | None],
    *responses: Sequence[str | None],
    agreed: Sequence[float | None] = (),
) -> dict[int, tuple[str, ...]]:
    """Flags by row: the guard that decided, ``judge_injection`` for a response that tries to end its own section of the
    question, and ``position_disagreement`` where less than all votes (``agreed``, 0 to 1) agree over both orders."""
    flags: dict[int, tuple[str, ...]] = {}
    injections = find_injections(*responses)
    for i, guard in enumerate(guards):
        found = [*([guard] if guard is not None else []), *injections.get(i, ())]
        share = agreed[i] if agreed else None
        if share is not None and share < 1:
            found.append(POSITION_DISAGREEMENT)
        if found:
            flags[i] = tuple(found)
    return flags


def ask_judge(
    judge: str,
    questions: Mapping[int, JudgeQuestion],
    parse: Callable[[str], T] | Mapping[int, Callable[[str], T]],
    temperature: float | None = 0.0,
    schema: Schema | Callable[[int], Schema] | None = None,
    draws: Sequence[int] | None = None,
    weigh: Callable[[JudgeAnswer], T] | None = None,
) -> Effectful[Judged[T]]:
    """Ask about the rows of ``questions`` and read each answer with ``parse``. No rows: nobody is asked.

    ``parse`` raises :class:`ItemError` for an answer without the form that was asked for: a failed judgement is an
    invalid score, never a number. Such an answer is asked for again where another may be given: at a temperature above
    0, as often as the judge's ``retries`` say.

    Args:
        parse: of all answers, or row -> that of its answer.
        schema: of all answers, or a function that makes that of a row.
        weigh: reads an answer in place of ``parse``, by the probabilities of its tokens.
    """
    judged: Judged[T] = Judged()
    if not questions:
        return judged
    problems = {row: question.problem for row, question in questions.items() if question.problem}
    found = (yield from perform(FindJudgeLimits(judge, list(problems.values())))) if problems else None
    if found is not None:
        limited = zip(problems, found, strict=True)
        judged.limits = {row: limit_s for row, limit_s in limited if limit_s is not None}
    draw_of = dict(zip(questions, draws, strict=True)) if draws is not None else None

    def make_effect(rows: Sequence[int]) -> AskJudge | AskJudgeForTokens:
        schemas = [schema(row) for row in rows] if callable(schema) else schema
        own = None if draw_of is None else [draw_of[row] for row in rows]
        asked = AskJudge(judge, [questions[row].conversation for row in rows], temperature, schemas, own)
        if found is not None:
            named, limits = [questions[row].problem for row in rows], [judged.limits.get(row) for row in rows]
            asked = replace(asked, problems=named, limits=limits)
        return asked if weigh is None else AskJudgeForTokens(asked)

    def read_answers(rows: Sequence[int], answers: Sequence[str | JudgeAnswer | Invalid]) -> list[int]:
        """The rows whose answers cannot be read."""
        unread: list[int] = []
        for row, answer in zip(rows, answers, strict=True):
            judged.invalid.pop(row, None)
            judged.answers.pop(row, None)
            if isinstance(answer, Invalid):
                judged.invalid[row] = answer
                continue
            judged.answers[row] = answer if isinstance(answer, str) else answer.text
            read = parse if callable(parse) else parse[row]
            try:
                judged.values[row] = read(answer) if isinstance(answer, str) else weigh(answer)  # type: ignore[misc]
            except ItemError as error:
                judged.invalid[row] = Invalid("judge_error", str(error))
                unread.append(row)
        return unread

    rows, attempt = list(questions), 0
    answers: Sequence[str | JudgeAnswer | Invalid] | None = yield make_effect(rows)
    while answers is not None and (rows := read_answers(rows, answers)):
        attempt += 1
        answers = yield from perform(AskJudgeAgain(make_effect(rows), attempt))
    return judged


def ask_panel(
    params: JudgeParams,
    questions: Mapping[int, Sequence[JudgeQuestion]],
    parse: Callable[[str], T] | Mapping[int, Callable[[str], T]],
    schema: Schema | Callable[[int], Schema] | None = None,
    weigh: Callable[[JudgeAnswer], T] | None = None,
) -> Effectful[Judged[list[T]]]:
    """Ask several questions a row, each as often as there are votes. A row has values if every answer could be read.

    Values and words stand in the order of the questions, the votes of a question side by side; the words of a row with
    one answer are that answer. ``parse`` and ``schema`` are as in :func:`ask_judge`, by the rows of ``questions``.
    """
    owners = [row for row, own in questions.items() for _ in range(len(own) * params.repeats)]
    asked = [question for own in questions.values() for question in own for _ in range(params.repeats)]
    draws = [place % params.repeats for place in range(len(asked))] if params.samples else None
    readers = parse if callable(parse) else {number: parse[row] for number, row in enumerate(owners)}
    schemas = (lambda number: schema(owners[number])) if callable(schema) else schema
    single = yield from ask_judge(
        params.judge, dict(enumerate(asked)), readers, params.temperature, schemas, draws, weigh
    )
    panel: Judged[list[T]] = Judged(limits=single.limits_of(owners))
    for number, row in enumerate(owners):
        if number in single.invalid:
            panel.invalid.setdefault(row, single.invalid[number])
        else:
            panel.values.setdefault(row, []).append(single.values[number])
        panel.answers.setdefault(row, []).append(single.answers.get(number))
    for row in panel.invalid:
        panel.values.pop(row, None)
    panel.answers = {row: words[0] if len(words) == 1 else words for row, words in panel.answers.items()}
    return panel
