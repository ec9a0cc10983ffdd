"""Majority vote within a group: the answer that most of its responses give stands in for a label."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..answers.majority import majority
from ..answers.sections import last_boxed, last_tagged
from ..columns import Columns
from ..costs import Cost
from ..effects import Effectful
from ..mathematics.classes import Classes, sort_equal
from ..mathematics.decision import Tolerance
from ..mathematics.extract import find_expression
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, Source, operation
from .math_equivalence import Params as MathParams

MOST_DIFFERENT = 256
"""Most answers of one group that are spelled differently and compared as mathematics."""

LONGEST = 5_000
"""Characters of an answer that are compared as mathematics."""


class Params(MathParams):
    mode: Literal["text", "math"] = Field(
        "text",
        description="text: answers are equal if they are spelled alike. math: as score/math_equivalence compares, with "
        "the parameters of that one.",
    )
    too_hard: Literal["error", "wrong"] = Field(
        "error",
        description="math: what an answer is that cannot be compared in time: an item error, or an answer unlike the "
        "others.",
    )


class Item(OperationItem):
    answer: str | float | None = Field(
        None, description="Answer of the response; empty: none. If omitted: read from the response."
    )
    response: str | None = Field(
        None,
        description="Response with its answer in <answer> or in a \\boxed{}; with `mode: math` wherever "
        "score/math_equivalence finds it.",
    )
    group: str = Field(description="Items of one group, the responses to one prompt, vote together.")


@operation(
    "score",
    "majority_vote",
    item=Item,
    params=Params,
    grouped=True,
    compares="group",
    source=Source("TTRL: Test-Time Reinforcement Learning", "https://arxiv.org/abs/2504.16084"),
    fidelity="second-hand",
    cost=Cost(row=60.0, unit=0.3, pairs=0.005),
)
def majority_vote(columns: Columns, params: Params) -> Effectful[Outcome]:
    """1 if the response gives the most frequent answer of its group, else 0: a reward without a label (TTRL).

    Responses without an answer do not vote, and get 0; in a group where nobody has an answer, all get 0. Of equally
    frequent answers the one that was seen first counts. With `mode: text` the answer is what stands in the last
    <answer> or \\boxed{} of the final text, as in TTRL's code, and the spelling counts, but for space around it; give
    `answer` for answers of another form. With `mode: math` the answer is read and compared as by
    `score/math_equivalence`: 1/2 is 0.5; an answer joins the first one of its group that it equals.

    A group of over 256 answers of different spelling is too large for `mode: math`: an error of its items with an
    answer. An answer that cannot be compared in time is an error of its item, and does not vote (`too_hard`). A group
    of one agrees with itself, with `single: true` in the details; a recipe refuses it as `group_of_one`, unless it says
    `group: {single: raw}` or `{single: zero}`. Details: `answer` (that of the response, null without one), `majority`
    (the group's, as it was first spelled), `share` (of the group's items, those with this answer: where it is low, the
    label is a guess), `votes` (items with an answer).
    """
    names = columns.objects("group")
    outcome = Outcome()
    answers: dict[int, str] = {}
    given, responses = columns.objects("answer"), columns.objects("response")
    for row, (name, answer, response) in enumerate(zip(names, given, responses, strict=True)):
        if name is None:
            outcome.invalid[row] = invalid_field("group: missing", "group")
        elif answer is None and response is None:
            outcome.invalid[row] = invalid_field("give the answer, or the response that has it", "answer")
        else:
            answers[row] = read_answer(response, params.mode) if answer is None else spell(answer)
    members: dict[str, list[int]] = {}
    for row in answers:
        members.setdefault(names[row], []).append(row)
    labels = answers if params.mode == "text" else (yield from _label_equal(answers, members, params, outcome.invalid))
    return _count_votes(columns.size, answers, labels, members, outcome)


def spell(answer: str | float) -> str:
    """An answer as a text; a number as short as it can be."""
    if isinstance(answer, str):
        return answer.strip()
    return "" if math.isnan(answer) else f"{answer:.15g}"


def read_answer(response: str, mode: str) -> str:
    """The answer of a final text; empty if it has none."""
    if mode == "math":
        found = find_expression(response)
        return found.expression.strip() if found is not None else ""
    tagged = last_tagged(response, "answer")
    boxed = last_boxed(response if tagged is None else tagged)
    return (boxed if boxed is not None else tagged or "").strip()


def _label_equal(
    answers: Mapping[int, str], members: Mapping[str, list[int]], params: Params, invalid: dict[int, Invalid]
) -> Effectful[dict[int, str]]:
    """Row -> the first answer of its group that is equal to its own; rows that cannot be compared get a reason."""
    spelled: dict[str, list[str]] = {}
    for name, rows in members.items():
        for row in rows:
            if len(answers[row]) > LONGEST:
                invalid[row] = invalid_field(f"an answer may have {LONGEST:,} characters in mode math", "answer")
        different = list(dict.fromkeys(answers[row] for row in rows if answers[row] and row not in invalid))
        if len(different) > MOST_DIFFERENT:
            message = f"its group has {len(different)} different answers; mode math compares at most {MOST_DIFFERENT}"
            invalid |= {row: invalid_field(message, "group") for row in rows if answers[row] and row not in invalid}
            continue
        spelled[name] = different
    tolerance = Tolerance(params.rel_tol, params.min_digits, params.strict)
    sorted_classes = yield from sort_equal(
        list(spelled.values()), tolerance, params.timeout_s, too_hard_differs=params.too_hard == "wrong"
    )
    classes = dict(zip(spelled, sorted_classes, strict=True))
    labels: dict[int, str] = {}
    for name, rows in members.items():
        found = classes.get(name, Classes())
        for row in rows:
            answer = answers[row]
            if answer in found.failed:
                invalid.setdefault(row, found.failed[answer])
            labels[row] = found.leaders.get(answer, "")
    return labels


def _count_votes(
    size: int, answers: Mapping[int, str], labels: Mapping[int, str], members: Mapping[str, list[int]], outcome: Outcome
) -> Outcome:
    """Rewards and details of every row that is valid."""
    rewards = np.full(size, np.nan)
    details: dict[str, list[Any]] = {name: [None] * size for name in ("answer", "majority", "share", "votes", "single")}
    for rows in members.values():
        valid = [row for row in rows if row not in outcome.invalid]
        winner = majority([labels[row] for row in valid])
        won = [bool(winner) and labels[row] == winner for row in valid]
        votes = sum(bool(labels[row]) for row in valid)
        for row, agrees in zip(valid, won, strict=True):
            rewards[row] = float(agrees)
            told = (
                answers[row] or None,
                winner or None,
                sum(won) / len(valid),
                votes,
                True if len(valid) == 1 else None,
            )
            for name, value in zip(details, told, strict=True):
                details[name][row] = value
    outcome.reward, outcome.details = rewards, dict(details)
    return outcome
