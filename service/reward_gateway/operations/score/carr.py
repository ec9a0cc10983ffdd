"""CaRR: an answer counts for the evidence that leads to it, rubric by rubric."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..carr_steps import Task, judge_steps
from ..columns import Columns
from ..effects import Effectful
from ..grading.verdict import read_yes_no
from ..judged import ask_judge, find_injections
from ..members import entry
from ..names import JudgeName
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation
from ..time_limits import merge_limits, tell_limits
from .judge_reference import same_answer

SOURCE = Source(
    "Chaining the Evidence: Robust Reinforcement Learning for Deep Search Agents with Citation-Aware Rubric Rewards",
    "https://github.com/THUDM/CaRR",
)

ANSWER = 0
"""The entity <E0>: the answer itself."""


class Params(OperationParams):
    rho: float = Field(0.0, ge=0, le=1, description="Weight of the rubrics (the server's default; training takes .3).")
    judge: JudgeName | None = Field(
        None, description="Configured judge for items with rubrics or a label and no verdicts."
    )


class Verdict(OperationItem):
    entities: list[int] = Field(description="Entities in the rubric's slots; 0 is the answer.")
    supported: bool | int = Field(description="Whether the cited pages bear the filled rubric out.")


class Item(OperationItem):
    outcome: float | bool | None = Field(None, description="1 if the answer is right, else 0.")
    verdicts: list[Verdict] | None = Field(None, description="One verdict a rubric.")
    identified: list[int] | None = Field(None, description="Entities that the response names; if omitted: all of them.")
    citations: list[str] | None = Field(None, description="Pages that the response cites; an empty list scores 0.")
    unfinished: bool = Field(False, description="The task was broken off: everything is 0.")
    history: list[dict[str, Any]] | None = Field(None, description="Chat messages; the last must be the assistant's.")
    question: str | None = Field(None, description="For the judge: what was asked.")
    response: str | None = Field(None, description="For the judge; if omitted: the last message of the history.")
    label: str | None = Field(None, description="For the judge: the right answer, where no outcome is given.")
    rubrics: list[str] | None = Field(None, description="For the judge: statements with slots <E0>, <E1> …")
    pages: dict[str, str] | None = Field(None, description="For the judge: address -> text of the cited pages.")


def reachable(verdicts: Sequence[Any], identified: set[int] | None) -> list[int]:
    """Places of the rubrics that evidence links to the answer, in order.

    A rubric counts if it is supported, all its entities are identified, and it shares entities with the answer
    directly or over other such rubrics.
    """
    slots = [set(entry(verdict, "entities", [])) for verdict in verdicts]
    usable = [
        bool(entry(verdict, "supported", False)) and (identified is None or slots[i] <= identified)
        for i, verdict in enumerate(verdicts)
    ]
    known, found = {ANSWER}, set[int]()
    while True:
        fresh = {i for i, ok in enumerate(usable) if ok and i not in found and slots[i] & known}
        if not fresh:
            return sorted(found)
        found |= fresh
        known |= set().union(*(slots[i] for i in fresh))


@operation("score", "carr", item=Item, params=Params, source=SOURCE, fidelity="verified")
def carr(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Outcome mixed with the share of rubrics that cited evidence links to the answer.

    R = (1 − ρ) · outcome + ρ · R_rubric, ρ = 0 (.3 in training); R_rubric = reachable rubrics / rubrics. A rubric is
    reachable if it is supported, all its entities are identified, and a chain of such rubrics that share entities joins
    it to entity 0, the answer.

    The verdicts are a judge's: give them, or `rubrics`, `question`, `response` and the cited `pages` (20 count), for
    `params.judge` to identify the entities and to judge the rubrics filled with them; and `label`, for it to judge the
    outcome. The questions are our wording; answers must have exactly the form asked for, else the score is invalid.

    No rubrics, no citations (`citations` an empty list): R_rubric = 0. A rubric without any slot is never reachable. An
    `unfinished` task, or a `history` whose last turn is not the assistant's: everything is 0. No `outcome`, or no
    `verdicts` while ρ > 0: an item error. Details: `reachable` (places), `rubric_reward`, `outcome_reward`,
    `judge_answer` (all answers).
    """
    items = columns.rows(Item.model_fields)
    words: list[list[str]] = [[] for _ in items]
    limits: dict[int, float] = {}
    failed = (yield from _ask_judge(items, words, limits, params.judge)) if params.judge is not None else {}
    outcome = by_row(columns.size, lambda i: _score_item(items[i], params.rho))
    outcome.invalid |= failed
    if outcome.reward is not None:
        outcome.reward[list(failed)] = np.nan
    outcome.details["judge_answer"] = [own or None for own in words]
    outcome.details |= tell_limits(columns.size, limits)
    shown = [_find_response(item) if asked else None for item, asked in zip(items, words, strict=True)]
    outcome.flags |= find_injections(shown)
    return outcome


def _ask_judge(
    items: list[dict[str, Any]], words: list[list[str]], limits: dict[int, float], judge: str
) -> Effectful[dict[int, Invalid]]:
    """Fill in outcomes and verdicts of the items that have what a judge needs, its words and its limits; why it could
    not."""
    open_ = [i for i, item in enumerate(items) if not _broken_off(item)]
    texts = {i: _find_response(items[i]) for i in open_}
    labelled = [i for i in open_ if items[i]["outcome"] is None and items[i]["label"] is not None]
    asked = {i: same_answer(items[i]["question"], texts[i], items[i]["label"]) for i in labelled}
    outcomes = yield from ask_judge(judge, asked, read_yes_no)
    tasks = {
        i: Task(items[i]["question"] or "", texts[i], items[i]["rubrics"], items[i]["pages"] or {})
        for i in open_
        if items[i]["verdicts"] is None and items[i]["rubrics"] is not None
    }
    steps = yield from judge_steps(judge, tasks)
    for i, right in outcomes.values.items():
        items[i]["outcome"] = right
    for i in tasks:
        items[i]["verdicts"], items[i]["identified"] = steps.verdicts[i], steps.identified[i]
    for i in open_:
        words[i] += [*([outcomes.answers[i]] if i in outcomes.answers else []), *steps.answers.get(i, [])]
    limits |= merge_limits(outcomes.limits, steps.limits)
    return outcomes.invalid | steps.invalid


def _broken_off(item: dict[str, Any]) -> bool:
    history = item["history"]
    return item["unfinished"] or bool(history and history[-1].get("role") != "assistant")


def _find_response(item: dict[str, Any]) -> str:
    if item["response"] is not None:
        return str(item["response"])
    content = item["history"][-1].get("content") if item["history"] else None
    return content if isinstance(content, str) else ""


def _score_item(item: dict[str, Any], rho: float) -> Row:
    if _broken_off(item):
        return Row(reward=0.0, details={"reachable": [], "rubric_reward": 0.0, "outcome_reward": 0.0})
    if item["outcome"] is None:
        raise ItemError("give outcome, 1 if the answer is right and 0 if not", param="outcome")
    verdicts = item["verdicts"]
    if verdicts is None and rho > 0:
        raise ItemError("give verdicts, one per rubric", param="verdicts")
    identified = None if item["identified"] is None else set(item["identified"])
    cited = item["citations"] is None or len(item["citations"]) > 0
    found = reachable(verdicts, identified) if verdicts and cited else []
    rubric = len(found) / len(verdicts) if verdicts else 0.0
    outcome = float(item["outcome"])
    return Row(
        reward=(1.0 - rho) * outcome + rho * rubric,
        details={"reachable": found, "rubric_reward": rubric, "outcome_reward": outcome},
    )
