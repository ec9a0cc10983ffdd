"""The judge's part of CaRR: which entities a response names, and which statements its cited pages bear out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reward_gateway.sample import Invalid

from .effects import Effectful
from .grading.objects import REASON, make_schema, read_object
from .judged import JudgeQuestion, ask_judge
from .outcome import ItemError
from .prompts import question
from .time_limits import merge_limits

MOST_PAGES = 20
_SLOT = re.compile(r"<E(\d{1,4})>")
_REFERENCES = "## References"


@dataclass(frozen=True, slots=True)
class Task:
    """What the judge is shown of one item: rubrics hold slots such as ``<E1>``, pages are url -> text."""

    question: str
    response: str
    rubrics: Sequence[str]
    pages: Mapping[str, str]

    @property
    def entities(self) -> list[int]:
        """The entities of all slots, in order."""
        return sorted({number for rubric in self.rubrics for number in slots(rubric)})

    @property
    def answer(self) -> str:
        """The response without its list of references."""
        return self.response.rpartition(_REFERENCES)[0] or self.response


@dataclass(slots=True)
class Verdicts:
    """Answers by row."""

    identified: dict[int, list[int]] = field(default_factory=dict)
    verdicts: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[int, list[str]] = field(default_factory=dict)
    invalid: dict[int, Invalid] = field(default_factory=dict)
    limits: dict[int, float] = field(default_factory=dict)


def slots(rubric: str) -> list[int]:
    """The entities in a rubric's slots, each once."""
    return list(dict.fromkeys(int(number) for number in _SLOT.findall(rubric)))


def judge_steps(judge: str, tasks: Mapping[int, Task]) -> Effectful[Verdicts]:
    """Identify the entities, fill them into the rubrics, and judge the filled ones by the cited pages.

    A rubric with an entity that the response does not name is not supported, and not asked about.
    """
    found = Verdicts()
    rows = {i: task for i, task in tasks.items() if task.entities}
    named = yield from ask_judge(
        judge,
        {i: _build_identify_question(task) for i, task in rows.items()},
        _read_values,
        schema=lambda i: make_schema({f"E{number}": {"type": ["string", "null"]} for number in rows[i].entities}),
    )
    found.invalid |= named.invalid
    found.limits |= named.limits
    filled: dict[int, dict[str, str]] = {}
    for i, values in named.values.items():
        try:
            names = _read_names(values, rows[i])
        except ItemError as error:
            found.invalid[i] = Invalid("judge_error", str(error))
            continue
        found.identified[i] = sorted(names)
        found.answers[i] = [named.answers[i]]
        filled[i] = {
            f"R{k}": _SLOT.sub(lambda slot, names=names: names[int(slot[1])], rubric)  # type: ignore[misc]
            for k, rubric in enumerate(rows[i].rubrics)
            if slots(rubric) and names.keys() >= set(slots(rubric))
        }
    asked = {
        i: _build_support_question(statements, rows[i])
        for i, statements in filled.items()
        if statements and rows[i].pages
    }
    judged = yield from ask_judge(
        judge, asked, _read_values, schema=lambda i: make_schema({key: {"type": "boolean"} for key in filled[i]})
    )
    found.invalid |= judged.invalid
    found.limits = merge_limits(found.limits, judged.limits)
    for i, values in judged.values.items():
        found.answers[i].append(judged.answers[i])
        if values.keys() != filled[i].keys() or not all(isinstance(value, bool) for value in values.values()):
            found.invalid[i] = Invalid("judge_error", "the judge did not say true or false of exactly the statements")
    for i, task in tasks.items():
        supported = judged.values.get(i, {})
        found.identified.setdefault(i, [])
        found.verdicts[i] = [
            {"entities": slots(rubric), "supported": supported.get(f"R{k}") is True}
            for k, rubric in enumerate(task.rubrics)
        ]
    return found


def _read_values(answer: str) -> dict[str, Any]:
    """The JSON object that ends an answer, without its ``reason``."""
    return {key: value for key, value in read_object(answer).items() if key != REASON}


def _read_names(values: Mapping[str, Any], task: Task) -> dict[int, str]:
    if values.keys() != {f"E{number}" for number in task.entities}:
        raise ItemError("the judge did not answer for exactly the entities that were asked for")
    if not all(value is None or isinstance(value, str) for value in values.values()):
        raise ItemError("the judge named entities that are neither text nor null")
    return {int(key[1:]): value.strip() for key, value in values.items() if value is not None and value.strip()}


def _build_identify_question(task: Task) -> JudgeQuestion:
    return question(
        "carr_identify",
        {
            "question": task.question,
            "statements": "\n".join(f"- {rubric}" for rubric in task.rubrics),
            "response": task.answer,
        },
        about=[task.question, *task.rubrics],
        keys=", ".join(f'"E{number}"' for number in task.entities),
    )


def _build_support_question(statements: Mapping[str, str], task: Task) -> JudgeQuestion:
    pages = list(task.pages.items())[:MOST_PAGES]
    return question(
        "carr_support",
        {
            "statements": "\n".join(f"{key}: {text}" for key, text in statements.items()),
            "pages": "\n\n".join(f"{url}\n{text}" for url, text in pages),
        },
        about=[task.question, *task.rubrics],
        keys=", ".join(f'"{key}"' for key in statements),
    )
