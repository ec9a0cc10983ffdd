"""Several accepted answers: a rule is asked about each of them, and the best verdict counts."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from reward_gateway.sample import json_text

from ..columns import Columns
from ..outcome import Outcome, invalid_field

REFERENCE = "reference"
MATCHED = "matched"
"""The detail that says which of several accepted answers the verdict is about: its place in the list, from 0."""
MOST = 1_000
"""Most accepted answers of one item."""


def read_answer(value: Any) -> Any:
    """An accepted answer: a number or boolean as its JSON text, all else as it is."""
    return json_text(value) if isinstance(value, (bool, int, float)) else value


_FORMS = str | float | bool | list[Any] | dict[str, Any]
Reference = Annotated[str | list[Any], BeforeValidator(read_answer, json_schema_input_type=_FORMS)]
"""The accepted answer, or a list of accepted answers, of which the best counts. Numbers and booleans are read as their
JSON text."""


_UNFIT = invalid_field("reference: an accepted answer is a text or a number", REFERENCE)


def accepted_texts(reference: Any) -> list[str]:
    """The accepted answers of a sample that are texts; none without a reference."""
    if isinstance(reference, str):
        return [reference]
    if isinstance(reference, dict):
        return accepted_texts(read_answer(reference.get("answer")))
    answers = reference if isinstance(reference, list) else []
    return [text for answer in answers if isinstance(text := read_answer(answer), str)]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One row per accepted answer.

    Attributes:
        columns: the rows.
        owners: the item of each row, ascending.
        listed: the items that have a list of accepted answers.
        unfit: the rows whose answer is neither a text nor a number; an empty text stands in for it.
    """

    columns: Columns
    owners: list[int]
    listed: frozenset[int]
    unfit: frozenset[int]


def expand_alternatives(columns: Columns, *, one_is_list: bool = False) -> Alternatives | None:
    """One row per accepted answer; None if no item has several.

    Args:
        one_is_list: one answer is a list itself, and several are a list of lists.
    """
    references = columns.objects(REFERENCE)
    listed = frozenset(i for i, reference in enumerate(references) if _is_several(reference, one_is_list))
    if not listed:
        return None
    owners: list[int] = []
    spread: list[Any] = []
    for i, reference in enumerate(references):
        answers = reference[: MOST + 1] if i in listed else [reference]
        owners += [i] * len(answers)
        spread += [read_answer(answer) for answer in answers]
    texts = not one_is_list
    unfit = frozenset(
        row for row, owner in enumerate(owners) if texts and owner in listed and not isinstance(spread[row], str)
    )
    fitting = ["" if row in unfit else answer for row, answer in enumerate(spread)]
    return Alternatives(columns.selected(owners).replaced(REFERENCE, fitting), owners, listed, unfit)


def _is_several(reference: Any, one_is_list: bool) -> bool:
    if not isinstance(reference, list):
        return False
    return not one_is_list or (bool(reference) and all(isinstance(answer, list) for answer in reference))


def choose_best(outcome: Outcome, alternatives: Alternatives, size: int) -> Outcome:
    """The outcome per item, of an outcome per accepted answer: the highest reward, or the first reason if none has one.

    An item without any accepted answer is invalid.
    """
    owners, listed = alternatives.owners, alternatives.listed
    outcome.invalid.update(dict.fromkeys(alternatives.unfit, _UNFIT))
    best: list[int | None] = [None] * size
    rewards = np.full(len(owners), np.nan) if outcome.reward is None else outcome.reward
    for k, owner in enumerate(owners):
        present = best[owner]
        if present is None or _ranks_higher(outcome, rewards, k, present):
            best[owner] = k
    chosen = Outcome(reward=None if outcome.reward is None else np.full(size, np.nan))
    places, counts = _number_within(owners), Counter(owners)
    for i, row in enumerate(best):
        if row is None:
            chosen.invalid[i] = invalid_field("reference: the list of accepted answers is empty", REFERENCE)
        elif counts[i] > MOST:
            chosen.invalid[i] = invalid_field(f"reference: at most {MOST:,} accepted answers", REFERENCE)
        elif row in outcome.invalid:
            chosen.invalid[i] = outcome.invalid[row]
        elif chosen.reward is not None:
            chosen.reward[i] = rewards[row]
        if row is not None and row in outcome.flags:
            chosen.flags[i] = outcome.flags[row]
    if outcome.rewards is not None:
        chosen.rewards = [None if row is None else outcome.rewards[row] for row in best]
    chosen.details = {
        name: [None if row is None else column[row] for row in best] for name, column in outcome.details.items()
    }
    chosen.details[MATCHED] = [
        places[row] if row is not None and i in listed and rewards[row] > 0 else None for i, row in enumerate(best)
    ]
    return chosen


def _ranks_higher(outcome: Outcome, rewards: Any, row: int, present: int) -> bool:
    if present in outcome.invalid or row in outcome.invalid:
        return present in outcome.invalid and row not in outcome.invalid
    return bool(rewards[row] > rewards[present])


def _number_within(owners: list[int]) -> list[int]:
    """The place of each row among those of its item, from 0."""
    places: list[int] = []
    for row, owner in enumerate(owners):
        places.append(places[-1] + 1 if row and owners[row - 1] == owner else 0)
    return places
