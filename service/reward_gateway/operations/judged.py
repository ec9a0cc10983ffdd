"""Rows that a judge answers: ask for those that need it, keep every failure as its row's reason."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from reward_gateway.sample import Invalid

from .needs import AskJudge, Need
from .outcome import ItemError

T = TypeVar("T")
Conversation = Sequence[dict[str, Any]]


@dataclass(slots=True)
class Judged(Generic[T]):
    """What was read from the judge's answers, and why some rows have none."""

    values: dict[int, T] = field(default_factory=dict)
    invalid: dict[int, Invalid] = field(default_factory=dict)


def ask_judge(
    judge: str, conversations: Mapping[int, Conversation], parse: Callable[[str], T]
) -> Generator[Need, Any, Judged[T]]:
    """Ask about the rows of ``conversations`` and read each answer with ``parse``. No rows: nobody is asked.

    ``parse`` raises :class:`ItemError` for an answer without the form that was asked for: a failed judgement is an
    invalid score, never a number.
    """
    judged: Judged[T] = Judged()
    if not conversations:
        return judged
    answers = yield AskJudge(judge, list(conversations.values()))
    for row, answer in zip(conversations, answers, strict=True):
        if isinstance(answer, Invalid):
            judged.invalid[row] = answer
            continue
        try:
            judged.values[row] = parse(answer)
        except ItemError as error:
            judged.invalid[row] = Invalid("judge_error", str(error))
    return judged


def json_object(answer: str) -> dict[str, Any]:
    """The JSON object in an answer, from its first brace to its last.

    Raises:
        ItemError: there is none.
    """
    try:
        found = json.loads(answer[answer.find("{") : answer.rfind("}") + 1])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ItemError("the judge gave no JSON object")
    return found
