"""Programs under the limit of their problem: what is told, what is scored, and what counts for later limits."""

from typing import Any

import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import FindTimeLimits, NotePassingRuns, RunSandboxed
from reward_gateway.operations.registry import catalog

RIGHT = [[True, None], [True, None]]
SLOW = [[True, None], [False, "timeout"]]
WRONG_THEN_SLOW = [[False, "AssertionError"], [False, "timeout"]]
ALL_SLOW = [[False, "timeout"], [False, "not run: 1 tests before it had ended the program"]]


class Scoring:
    """An operation whose programs end as the test says.

    Attributes:
        inputs: what the sandbox was given.
        noted: seconds of the runs that were told to have passed.
    """

    def __init__(self, limit_s: float | None) -> None:
        self.limit_s = limit_s
        self.asked: list[FindTimeLimits] = []
        self.inputs: list[Any] = []
        self.noted: list[float] = []

    def score(self, name: str, verdicts: list[Any], item: dict[str, Any], **params: Any) -> dict[str, Any]:
        operation = catalog().get("score", name)
        assert operation is not None
        steps = apply(operation, [item], params)
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as stop:
                (result,) = stop.value
                return dict(result)
            match effect:
                case FindTimeLimits():
                    self.asked.append(effect)
                    answer = [self.limit_s] * len(effect.problems)
                case RunSandboxed():
                    self.inputs += effect.inputs
                    answer = [{"ok": True, "value": verdicts, "error": None, "slowest_s": 0.25}]
                case NotePassingRuns():
                    self.noted += effect.seconds
                    answer = None
                case _:
                    raise AssertionError(effect)


UNIT_TESTS = {"program": "x = 1", "tests": ["assert x == 1", "assert x > 0"]}
STDIO = {"response": "print(1)", "tests": {"inputs": ["1", "2"], "outputs": ["1", "2"]}}
CALLS = {"response": "def f(a): return a", "tests": {"inputs": [[1], [2]], "outputs": [1, 2], "fn_name": "f"}}
EVERY = pytest.mark.parametrize(
    ("name", "item"), [("unit_tests", UNIT_TESTS), ("code_stdio", STDIO), ("code_stdio", CALLS)]
)


@EVERY
def test_without_the_option_nothing_is_asked_or_noted(name: str, item: dict[str, Any]) -> None:
    scoring = Scoring(1.5)
    result = scoring.score(name, SLOW, item)
    assert result["reward"] is not None
    assert (scoring.asked, scoring.noted, "limit_s" in result["details"]) == ([], [], False)
    assert "limit_s" not in scoring.inputs[0]


@EVERY
def test_a_program_has_the_limit_of_its_problem_which_is_told(name: str, item: dict[str, Any]) -> None:
    scoring = Scoring(1.5)
    result = scoring.score(name, RIGHT, item, adaptive_timeout=3.0, timeout_s=6.0)
    assert (result["reward"], result["details"]["limit_s"]) == (1.0, 1.5)
    assert scoring.inputs[0]["limit_s"] == 1.5
    assert (scoring.asked[0].factor, scoring.asked[0].most_s) == (3.0, 6.0)
    assert scoring.noted == [0.25]


@EVERY
def test_while_the_problem_has_no_limit_all_is_as_ever(name: str, item: dict[str, Any]) -> None:
    scoring = Scoring(None)
    result = scoring.score(name, SLOW, item, adaptive_timeout=3.0)
    assert (result["error"], "limit_s" in result["details"], scoring.noted) == (None, False, [])


@EVERY
@pytest.mark.parametrize("verdicts", [SLOW, ALL_SLOW])
def test_a_program_that_is_stopped_has_no_score(name: str, item: dict[str, Any], verdicts: list[Any]) -> None:
    scoring = Scoring(1.5)
    result = scoring.score(name, verdicts, item, adaptive_timeout=3.0)
    assert (result["reward"], result["error"]["code"]) == (None, "timeout")
    assert "1.5 s" in result["error"]["message"]
    assert scoring.noted == []


@EVERY
def test_a_program_that_had_the_whole_time_is_wrong_as_ever(name: str, item: dict[str, Any]) -> None:
    result = Scoring(6.0).score(name, SLOW, item, adaptive_timeout=3.0, timeout_s=6.0)
    assert (result["error"], result["reward"] < 1) == (None, True)


@pytest.mark.parametrize(
    ("name", "item", "all_or_none"), [("unit_tests", UNIT_TESTS, {"how": "all"}), ("code_stdio", STDIO, {})]
)
def test_where_one_wrong_test_decides_another_that_was_stopped_is_no_matter(
    name: str, item: dict[str, Any], all_or_none: dict[str, Any]
) -> None:
    result = Scoring(1.5).score(name, WRONG_THEN_SLOW, item, adaptive_timeout=3.0, **all_or_none)
    assert (result["reward"], result["error"]) == (0.0, None)


@pytest.mark.parametrize(
    ("name", "item", "share"), [("unit_tests", UNIT_TESTS, {}), ("code_stdio", STDIO, {"reward": "fraction"})]
)
def test_where_a_share_is_paid_any_test_that_was_stopped_matters(
    name: str, item: dict[str, Any], share: dict[str, Any]
) -> None:
    result = Scoring(1.5).score(name, WRONG_THEN_SLOW, item, adaptive_timeout=3.0, **share)
    assert result["error"]["code"] == "timeout"


def test_a_problem_is_its_tests_and_what_runs_them() -> None:
    scoring = Scoring(None)
    other = {**STDIO, "tests": {"inputs": ["1", "3"], "outputs": ["1", "3"]}}
    for item, params in (
        (STDIO, {}),
        ({**STDIO, "response": "print(2)"}, {}),
        (other, {}),
        (STDIO, {"language": "bash"}),
        (STDIO, {"sandbox": "far"}),
    ):
        scoring.score("code_stdio", RIGHT, item, adaptive_timeout=3.0, **params)
    first, same, *others = [asked.problems[0] for asked in scoring.asked]
    assert first == same
    assert len({first, *others}) == 4


@pytest.mark.parametrize("factor", [0.5, 0, 101, "x"])
def test_a_factor_is_at_least_one(call: Any, factor: Any) -> None:
    with pytest.raises(InvalidRequest):
        call("score/unit_tests", UNIT_TESTS, adaptive_timeout=factor)


SQL = {"response": "SELECT a FROM t", "reference": "SELECT a FROM t ORDER BY 1", "database": "shop"}


class Queries(Scoring):
    """Queries: the right one gives a row, the other what the test says."""

    def query(self, predicted: dict[str, Any], **params: Any) -> dict[str, Any]:
        operation = catalog().get("score", "sql_execution")
        assert operation is not None
        steps = apply(operation, [SQL], params)
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as stop:
                (result,) = stop.value
                return dict(result)
            if isinstance(effect, FindTimeLimits):
                answer = [self.limit_s] * len(effect.problems)
            elif isinstance(effect, NotePassingRuns):
                self.noted += effect.seconds
                answer = None
            else:
                assert isinstance(effect, RunSandboxed)
                self.inputs += effect.inputs
                right = {"ok": True, "value": [[1]], "error": None, "slowest_s": 0.5}
                answer = [predicted, right]


ROWS = {"ok": True, "value": [[1]], "error": None, "slowest_s": 0.25}
OTHER_ROWS = {**ROWS, "value": [[2]]}
LATE = {"ok": False, "value": None, "error": "timeout"}


def test_a_query_has_the_limit_of_its_problem_and_the_right_one_all_the_time() -> None:
    queries = Queries(1.5)
    result = queries.query(ROWS, adaptive_timeout=3.0)
    assert (result["reward"], result["details"]["limit_s"]) == (1.0, 1.5)
    assert [given.get("limit_s") for given in queries.inputs] == [1.5, None]
    assert queries.noted == [0.25]


def test_a_query_that_is_stopped_has_no_score_and_a_wrong_one_counts_for_no_limit() -> None:
    queries = Queries(1.5)
    assert queries.query(LATE, adaptive_timeout=3.0)["error"]["code"] == "timeout"
    assert queries.query(OTHER_ROWS, adaptive_timeout=3.0)["reward"] == 0.0
    assert queries.noted == []


@pytest.mark.parametrize("limit_s", [None, 5.0])
def test_a_query_that_had_the_whole_time_is_wrong_as_ever(limit_s: float | None) -> None:
    assert Queries(limit_s).query(LATE, adaptive_timeout=3.0, timeout_s=5.0)["reward"] == 0.0
