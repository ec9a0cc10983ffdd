"""CaRR: an answer counts for the evidence that leads to it, rubric by rubric."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from ..columns import Columns
from ..members import entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Chaining the Evidence: Robust Reinforcement Learning for Deep Search Agents with Citation-Aware Rubric Rewards",
    "https://github.com/THUDM/CaRR",
)

ANSWER = 0
"""The entity <E0>: the answer itself."""


class Params(OperationParams):
    rho: float = Field(0.0, ge=0, le=1, description="Weight of the rubrics (the server's default; training takes .3).")


class Verdict(OperationItem):
    entities: list[int] = Field(description="Entities in the rubric's slots; 0 is the answer.")
    supported: bool | int = Field(description="Whether the cited pages bear the filled rubric out.")


class Item(OperationItem):
    outcome: float | bool | None = Field(None, description="1 if the answer is right, else 0.")
    verdicts: list[Verdict] | None = Field(None, description="One verdict a rubric.")
    identified: list[int] | None = Field(None, description="Entities that the response names; left out: all of them.")
    citations: list[str] | None = Field(None, description="Pages that the response cites; an empty list scores 0.")
    unfinished: bool = Field(False, description="The task was broken off: everything is 0.")
    history: list[dict[str, Any]] | None = Field(None, description="Chat messages; the last must be the assistant's.")


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
def carr(columns: Columns, params: Params) -> Outcome:
    """Outcome mixed with the share of rubrics that cited evidence links to the answer.

    R = (1 − ρ) · outcome + ρ · R_rubric, ρ = 0 (.3 in training); R_rubric = reachable rubrics / rubrics. A rubric is
    reachable if it is supported, all its entities are identified, and a chain of such rubrics that share entities joins
    it to entity 0, the answer. The verdicts are a judge's.

    No rubrics, no citations (`citations` an empty list): R_rubric = 0. A rubric without any slot is never reachable. An
    `unfinished` task, or a `history` whose last turn is not the assistant's: everything is 0. No `outcome`, or no
    `verdicts` while ρ > 0: the item's error. Details: `reachable` (places), `rubric_reward`, `outcome_reward`.
    """
    items = columns.rows(Item.model_fields)
    return by_row(columns.size, lambda i: _score(items[i], params.rho))


def _score(item: dict[str, Any], rho: float) -> Row:
    history = item["history"]
    if item["unfinished"] or (history and history[-1].get("role") != "assistant"):
        return Row(reward=0.0, details={"reachable": [], "rubric_reward": 0.0, "outcome_reward": 0.0})
    if item["outcome"] is None:
        raise ItemError("give outcome, 1 if the answer is right and 0 if not")
    verdicts = item["verdicts"]
    if verdicts is None and rho > 0:
        raise ItemError("give verdicts, one a rubric")
    identified = None if item["identified"] is None else set(item["identified"])
    cited = item["citations"] is None or len(item["citations"]) > 0
    found = reachable(verdicts, identified) if verdicts and cited else []
    rubric = len(found) / len(verdicts) if verdicts else 0.0
    outcome = float(item["outcome"])
    return Row(
        reward=(1.0 - rho) * outcome + rho * rubric,
        details={"reachable": found, "rubric_reward": rubric, "outcome_reward": outcome},
    )
