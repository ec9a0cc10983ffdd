"""Every operation that asks a judge gives its questions the limit of their problem, and no score to what it stops."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.apply import run
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import (
    AskJudge,
    AskJudgeAgain,
    FindFallbackJudge,
    FindJudgeLimits,
    ScoreWithModel,
)
from reward_gateway.operations.names import find_name_fields
from reward_gateway.operations.outcome import Outcome
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.score.opinion_rm import FEATURES
from reward_gateway.sample import Invalid, RawScores

PNG = base64.b64encode(b"\x89PNG").decode()
STOPPED = Invalid("timeout", "stopped")


@dataclass(frozen=True)
class Asked:
    """An item about which an operation asks a judge.

    Attributes:
        answers: of the judge, to one question after the other; the last one to all further ones.
        response: fields of another response to the same problem.
        problem: fields of another problem.
    """

    item: dict[str, Any]
    answers: list[str]
    response: dict[str, Any]
    problem: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)


TEXTS = {"prompt": "Why?", "reference": "So.", "response": "Hence."}
OTHER = {"response": {"response": "Thus."}, "problem": {"prompt": "How?"}}
SQL = {"pred_sql": "SELECT 2", "gold_sql": "SELECT 1", "pred_rows": [[2]], "gold_rows": [[1]]}
RUBRICS = {"question": "Who?", "response": "Ann.", "rubrics": ["<E0> is kind"], "pages": {"a": "Ann is kind."}}

ASKED = {
    "score/judge_rubric": Asked(TEXTS, ['{"quality": 5}'], **OTHER),
    "score/judge_reference": Asked(TEXTS, ["YES"], **OTHER),
    "score/judge_principle": Asked(TEXTS, ["YES"], **OTHER),
    "score/judge_pairwise": Asked({**TEXTS, "other": "?"}, ["VERDICT: A"], **OTHER),
    "score/judge_tournament": Asked(
        {"prompt": "Why?", "response": "Hence.", "group": "g", "anchor": "?"},
        ["VERDICT: A"],
        **OTHER,
        params={"schedule": "anchor"},
    ),
    "score/rubric": Asked(
        {"criteria": [{"text": "Is kind."}], "prompt": "Why?", "response": "Hence."}, ['{"C1": true}'], **OTHER
    ),
    "score/roboreward": Asked(
        {"task": "Lift.", "frames_b64": [PNG]}, ["ANSWER: 3"], {"frames_b64": [PNG, PNG]}, {"task": "Drop."}
    ),
    "score/pprm": Asked(
        {"question": "Who?", "turns": ["search", "answer"]},
        ["<final_score>3,6</final_score>"],
        {"turns": ["look", "answer"]},
        {"question": "What?"},
    ),
    "score/opinion_rm": Asked(
        {"reviews": ["Good."], "summary": "It is good."},
        [json.dumps(dict.fromkeys(FEATURES, 3))],
        {"summary": "Well."},
        {"reviews": ["Bad."]},
        {"weights": [1.0] * len(FEATURES)},
    ),
    "score/mm_rlhf": Asked(
        {"question": "What?", "image_b64": PNG, "response": "A cat."},
        ["It is no cat."],
        {"response": "A dog."},
        {"question": "Where?"},
    ),
    "score/critique_f1": Asked(
        {"outcome": 1.0, "human_critique": "Long.", "model_critique": "Dull."},
        ['{"human_points": 1, "model_points": 1, "matched": 0}'],
        {"model_critique": "Odd."},
        {"human_critique": "Short."},
        {"extractor": "judge"},
    ),
    "score/carr": Asked(
        {**RUBRICS, "label": "Ann"},
        ["YES", '{"E0": "Ann"}', '{"R0": true}'],
        {"response": "Bob."},
        {"question": "Which?"},
        {"judge": "judge", "rho": 0.5},
    ),
    "score/reasoning_sql": Asked(
        SQL, ['{"score": 0.5}'], {"pred_sql": "SELECT 3"}, {"gold_sql": "SELECT 4"}, {"judge": "judge"}
    ),
    "audit/judge_hacking": Asked(
        {"judge": "judge", "questions": [{"question": "Why?", "reference": "So."}]},
        ["NO"],
        {},
        {"questions": [{"question": "How?", "reference": "So."}]},
    ),
}
EVERY = pytest.mark.parametrize("path", ASKED)
SCORED = pytest.mark.parametrize("path", [path for path in ASKED if path.startswith("score/")])


def find_operations() -> Iterator[Operation]:
    """The operations that may ask a judge: a parameter or a field of the item names one."""
    for operation in catalog():
        if find_name_fields(operation.params, "judge") or find_name_fields(operation.item, "judge"):
            yield operation


class Judging:
    """A judge whose questions have limits of their own."""

    def __init__(self, *, stops: bool = False) -> None:
        self.stops = stops
        self.told: list[str] = []
        self.asked: list[AskJudge] = []

    def run(self, path: str, **changed: Any) -> Outcome:
        asked = ASKED[path]
        operation = catalog().get(*path.split("/"))
        assert operation is not None
        answers = list(asked.answers)
        item = operation.item.model_validate({**asked.item, **changed})
        columns = Columns.of_items([item], list(operation.item.model_fields))
        steps = run(operation, columns, operation.params.model_validate(asked.params))
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as stop:
                outcome: Outcome = stop.value
                return outcome
            match effect:
                case FindJudgeLimits():
                    self.told += effect.problems
                    answer = [1.5] * len(effect.problems)
                case AskJudge():
                    self.asked.append(effect)
                    said = answers.pop(0) if len(answers) > 1 else answers[0]
                    answer = [STOPPED if self.stops else said] * len(effect.conversations)
                case ScoreWithModel():
                    answer = RawScores(np.ones((len(effect.batch.ids), 1)), "m", "1", np.zeros(1, dtype=bool))
                case FindFallbackJudge() | AskJudgeAgain():
                    answer = None
                case _:
                    raise AssertionError(effect)


def test_every_operation_that_asks_a_judge_is_here() -> None:
    assert {f"{operation.kind}/{operation.name}" for operation in find_operations()} == ASKED.keys()


@EVERY
def test_each_question_has_the_limit_of_its_problem(path: str) -> None:
    judging = Judging()
    judging.run(path)
    assert judging.asked
    assert [problem for effect in judging.asked for problem in effect.problems or ()] == judging.told
    assert [limit for effect in judging.asked for limit in effect.limits or ()] == [1.5] * len(judging.told)


@EVERY
def test_a_problem_is_what_is_asked_about_whatever_is_judged(path: str) -> None:
    first, same, other = Judging(), Judging(), Judging()
    first.run(path)
    same.run(path, **ASKED[path].response)
    other.run(path, **ASKED[path].problem)
    assert set(first.told) == set(same.told)
    assert not set(first.told) & set(other.told)


@SCORED
def test_the_limit_is_told(path: str) -> None:
    outcome = Judging().run(path)
    assert (outcome.invalid, outcome.stood_in) == ({}, {})
    assert outcome.details["limit_s"] == [1.5]


@SCORED
def test_what_is_stopped_has_no_score(path: str) -> None:
    outcome = Judging(stops=True).run(path)
    reason = outcome.invalid.get(0) or outcome.stood_in.get(0)
    assert reason is not None
    assert reason.code == "timeout"
