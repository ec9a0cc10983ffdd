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
        limits: what the sandbox was told.
        noted: seconds of the runs that were told to have passed.
        answers: of the sandbox; none: verdicts over tests.
    """

    def __init__(self, limit_s: float | None) -> None:
        self.limit_s = limit_s
        self.asked: list[FindTimeLimits] = []
        self.limits: list[float | None] = []
        self.noted: list[float] = []
        self.answers: list[Any] = []

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
                    self.limits += effect.limits or [None] * len(effect.programs)
                    answer = self.answers or [{"ok": True, "value": verdicts, "error": None, "slowest_s": 0.25}]
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
    assert scoring.limits == [None]


@EVERY
def test_a_program_has_the_limit_of_its_problem_which_is_told(name: str, item: dict[str, Any]) -> None:
    scoring = Scoring(1.5)
    result = scoring.score(name, RIGHT, item, adaptive_timeout=3.0, timeout_s=6.0)
    assert (result["reward"], result["details"]["limit_s"]) == (1.0, 1.5)
    assert scoring.limits == [1.5]
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
REASONING = {"pred_sql": "SELECT a FROM t", "gold_sql": "SELECT a FROM t ORDER BY 1", "db": "shop"}
EVERY_SQL = pytest.mark.parametrize(("name", "item"), [("sql_execution", SQL), ("reasoning_sql", REASONING)])


class Queries(Scoring):
    """Queries: the right one gives a row, the other what the test says."""

    def query(self, name: str, predicted: dict[str, Any], item: dict[str, Any], **params: Any) -> dict[str, Any]:
        right = {"ok": True, "value": [[1]], "error": None, "slowest_s": 0.5}
        self.answers = [predicted, right]
        return self.score(name, [], item, **params)


ROWS = {"ok": True, "value": [[1]], "error": None, "slowest_s": 0.25}
OTHER_ROWS = {**ROWS, "value": [[2]]}
LATE = {"ok": False, "value": None, "error": "timeout"}


@EVERY_SQL
def test_a_query_has_the_limit_of_its_problem_and_the_right_one_all_the_time(name: str, item: dict[str, Any]) -> None:
    queries = Queries(1.5)
    result = queries.query(name, ROWS, item, adaptive_timeout=3.0)
    assert (result["error"], result["details"]["limit_s"]) == (None, 1.5)
    assert queries.limits == [1.5, None]
    assert queries.noted == [0.25]


@EVERY_SQL
def test_a_query_that_is_stopped_has_no_score_and_a_wrong_one_counts_for_no_limit(
    name: str, item: dict[str, Any]
) -> None:
    queries = Queries(1.5)
    assert queries.query(name, LATE, item, adaptive_timeout=3.0)["error"]["code"] == "timeout"
    assert queries.query(name, OTHER_ROWS, item, adaptive_timeout=3.0)["error"] is None
    assert queries.noted == []


@EVERY_SQL
@pytest.mark.parametrize("limit_s", [None, 5.0])
def test_a_query_that_had_the_whole_time_is_wrong_as_ever(
    name: str, item: dict[str, Any], limit_s: float | None
) -> None:
    late = Queries(limit_s).query(name, LATE, item, adaptive_timeout=3.0, timeout_s=5.0)
    assert late["reward"] == Queries(None).query(name, LATE, item)["reward"]


def test_two_operations_over_one_query_and_database_have_one_problem() -> None:
    queries = Queries(None)
    queries.query("sql_execution", ROWS, SQL, adaptive_timeout=3.0)
    queries.query("reasoning_sql", ROWS, REASONING, adaptive_timeout=3.0)
    assert len({problem for asked in queries.asked for problem in asked.problems}) == 1


EPISODE = {
    "observations": [{"x": 1}],
    "sparse_src": "def sparse(observation, memory): return 1",
    "dense_src": "def dense(observation, memory): return 0",
}
GOOD = {"ok": True, "value": [[1.0, None]], "error": None, "slowest_s": 0.25}
FAULTY = {"ok": True, "value": [[None, "KeyError"]], "error": None, "slowest_s": 0.25}


class Episodes(Scoring):
    """A pair of reward programs that end as the test says."""

    def reward(self, sparse: dict[str, Any], dense: dict[str, Any], **params: Any) -> dict[str, Any]:
        self.answers = [sparse, dense]
        return self.score("program", [], EPISODE, **params)


def test_reward_programs_have_the_limits_of_their_own_sources() -> None:
    episodes = Episodes(1.5)
    result = episodes.reward(GOOD, GOOD, adaptive_timeout=3.0)
    assert (result["rewards"], result["details"]["limit_s"]) == ([1.1], 1.5)
    assert episodes.limits == [1.5, 1.5]
    assert episodes.noted == [0.25, 0.25]
    assert len(set(episodes.asked[0].problems)) == 2


def test_an_episode_that_is_stopped_has_no_rewards_and_one_that_fails_counts_for_no_limit() -> None:
    episodes = Episodes(1.5)
    assert episodes.reward(FAULTY, LATE, adaptive_timeout=3.0)["error"]["code"] == "timeout"
    assert episodes.noted == []
    result = episodes.reward(FAULTY, GOOD, adaptive_timeout=3.0)
    assert (result["rewards"], result["details"]["flags"]) == ([0.0], ["program_error"])
    assert episodes.noted == [0.25]


@pytest.mark.parametrize("limit_s", [None, 5.0])
def test_an_episode_that_had_the_whole_time_has_the_rewards_that_it_ever_had(limit_s: float | None) -> None:
    result = Episodes(limit_s).reward(LATE, GOOD, adaptive_timeout=3.0, timeout_s=5.0)
    assert (result["error"], result["rewards"], result["details"]["flags"]) == (None, [0.0], ["program_error"])
