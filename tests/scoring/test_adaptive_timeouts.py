"""Code with a limit of its problem's own, through a recipe and a real sandbox."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from reward_gateway.backends import time_limits
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Scored
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.state.namespace import NO_NAMESPACE
from reward_gateway.state.store import StateStore

from tests.scoring.conftest import FailingModels

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  code:
    components:
      right:
        score: code_stdio
        params: {timeout_s: 60, adaptive_timeout: 3.0}
        transforms: [{running_normalise: {stream: run}}]
  tests:
    components: {right: {score: unit_tests, params: {timeout_s: 60, adaptive_timeout: 3.0}}}
  query:
    components:
      right:
        score: sql_execution
        params: {timeout_s: 60, adaptive_timeout: 3.0}
        inputs: {database: {schema: "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2)"}}
"""

STDIO = '{"inputs": ["1"], "outputs": ["2"]}'
UNIT = "assert f(1) == 2"
QUERY = "SELECT a FROM t"
RIGHT = {"query": QUERY, "code": "print(int(input()) + 1)", "tests": "def f(a): return a + 1"}
COUNTING = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
ENDLESS = {"query": COUNTING, "code": "while True: pass", "tests": "def f(a):\n    while True: pass"}
REFERENCES = {"query": QUERY, "code": STDIO, "tests": UNIT}


@pytest.fixture(scope="module")
async def sandbox(anyio_backend: str) -> AsyncIterator[Sandbox]:
    running = Sandbox(processes=2)
    try:
        await running.start()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    yield running
    await running.close()


class Scoring:
    """A gateway over a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        runtime = EffectsRuntime(CachedScorer(FailingModels(), NullCache()), StateStore.in_process(), sandbox=sandbox)
        self.gateway = Gateway(load_book(RECIPES, {}), runtime)

    async def score(self, reward: str, *programs: str, reference: str | None = None) -> Scored:
        size = len(programs)
        references: list[Any] = [reference or REFERENCES[reward]] * size
        batch = Batch([str(i) for i in range(size)], ["p"] * size, list(programs), references=references)
        return await self.gateway.score(batch, reward, ScoreOptions(deadline=asyncio.get_running_loop().time() + 300.0))


@pytest.fixture
def scoring(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Scoring:
    monkeypatch.setattr(time_limits, "FEWEST", 2)
    return Scoring(sandbox)


@pytest.mark.parametrize("reward", ["code", "tests", "query"])
async def test_a_program_that_takes_far_longer_than_right_ones_is_stopped_and_has_no_score(
    scoring: Scoring, reward: str
) -> None:
    right, endless = RIGHT[reward], ENDLESS[reward]
    first = await scoring.score(reward, right, right)
    assert first.components["right"].limits is None
    second = await scoring.score(reward, right, endless)
    assert (second.invalid[1].code, second.invalid[1].component) == ("timeout", "right")
    assert 0 not in second.invalid
    told = second.components["right"].limits
    assert told is not None
    assert all(limit is not None and time_limits.SHORTEST_S <= limit < 60 for limit in told)


async def test_another_problem_has_its_own(scoring: Scoring) -> None:
    await scoring.score("code", RIGHT["code"], RIGHT["code"])
    other = await scoring.score("code", RIGHT["code"], reference='{"inputs": ["2"], "outputs": ["3"]}')
    assert other.components["right"].limits is None


async def test_wrong_programs_count_for_no_limit(scoring: Scoring) -> None:
    await scoring.score("code", *["print(0)"] * 4)
    after = await scoring.score("code", RIGHT["code"])
    assert after.components["right"].limits is None


async def test_what_is_stopped_enters_no_moments(scoring: Scoring) -> None:
    await scoring.score("code", RIGHT["code"], RIGHT["code"])
    await scoring.score("code", RIGHT["code"], ENDLESS["code"])
    stored: Any = await scoring.gateway.runtime.state.within(NO_NAMESPACE).moments.export_value("run")
    assert stored["count"] == 3
