"""Reward programs from their registration to their scores, and other code of callers, through HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

SPARSE = "def sparse(observation, memory):\n    return observation['diamonds']\n"
DENSE = """
def dense(observation, memory):
    last = memory.get('distance', observation['distance'])
    memory['distance'] = observation['distance']
    return last - observation['distance']
"""
WALK = [{"diamonds": 0, "distance": 9}, {"diamonds": 0, "distance": 5}, {"diamonds": -5, "distance": 4.5}]

RECIPES = """
rewards:
  tested:
    components:
      code:
        score: unit_tests
        params: {how: all, timeout_s: 60}  # a busy machine must not decide
        inputs: {program: {sample: response}, tests: [assert double(2) == 4, assert double(0) == 0]}
"""


class NoModels:
    """A model server without models."""

    async def models(self) -> list[ModelInfo]:
        return []

    async def close(self) -> None: ...


async def serving(sandbox: Sandbox | None) -> AsyncIterator[httpx.AsyncClient]:
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process(), sandbox=sandbox)  # type: ignore[arg-type]
    app = create_app(Gateway(load_book(RECIPES), runtime), Settings())
    async with HttpContract(app).client(timeout=60) as client:
        yield client
    await runtime.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A service whose operator allows callers' code."""
    sandbox = Sandbox(processes=2)
    await sandbox.start()
    async for client in serving(sandbox):
        yield client


@pytest.fixture
async def closed() -> AsyncIterator[httpx.AsyncClient]:
    """A service as it comes: callers' code is not run."""
    async for client in serving(None):
        yield client


async def register(http: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    body = {"name": "diamond", "sparse_src": SPARSE, "dense_src": DENSE, "samples": WALK, **changes}
    return await http.post("/v1/programs", json=body)


async def test_an_upload_that_is_repeated_with_its_key_is_one_version(http: httpx.AsyncClient) -> None:
    body = {"name": "diamond", "sparse_src": SPARSE, "dense_src": DENSE, "samples": WALK}
    key = {"Idempotency-Key": "upload"}
    answers = [(await http.post("/v1/programs", json=body, headers=key)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["program"] == "diamond@1"
    assert (await http.post("/v1/programs", json={**body, "name": "other"}, headers=key)).status_code == 409
    assert (await http.post("/v1/programs", json=body)).json()["program"] == "diamond@2"


async def apply(http: httpx.AsyncClient, name: str, *items: Any, **params: Any) -> list[Any]:
    answer = await http.post(f"/v1/score/{name}", json={"items": items, "params": params})
    assert answer.status_code == 200, answer.text
    results: list[Any] = answer.json()["results"]
    return results


async def test_programs_that_work_are_kept_by_version_and_score_by_their_signs(http: httpx.AsyncClient) -> None:
    report = (await register(http)).json()
    assert report == {
        "name": "diamond",
        "version": 1,
        "program": "diamond@1",
        "valid": True,
        "checks": {
            "sparse": {"passed": True, "values": [0.0, 0.0, -5.0], "errors": []},
            "dense": {"passed": True, "values": [0.0, 4.0, 0.5], "errors": []},
        },
        "rewards": [0.0, 0.1, -0.9],
    }
    assert (await register(http, sparse_src="def sparse(o, m):\n    return 1")).json()["program"] == "diamond@2"
    names = ("diamond@1", "diamond@2", "diamond")
    first, second, newest = await apply(http, "program", *({"program": n, "observations": WALK} for n in names))
    assert first["rewards"] == pytest.approx([0.0, 0.1, -0.9])
    assert second["rewards"] == newest["rewards"] == pytest.approx([1.0, 1.1, 1.1])


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def sparse(o, m):\n    return 'much'", "it returned no finite number"),
        ("def sparse(o, m):\n    return float('nan')", "it returned no finite number"),
        ("def sparse(o, m):\n    return o['gold']", "KeyError"),
        ("def other(o, m):\n    return 1", "NameError"),
        ("def sparse(o, m):\n    return open('/etc/passwd').read()", "PermissionError"),
        ("def sparse(o, m)\n    return 1", "SyntaxError: expected ':' (<program>, line 1)"),
    ],
)
async def test_programs_that_cannot_work_are_reported_and_not_kept(
    http: httpx.AsyncClient, source: str, error: str
) -> None:
    report = (await register(http, sparse_src=source)).json()
    assert (report["valid"], report["program"], report["rewards"]) == (False, None, None)
    assert report["checks"]["dense"]["passed"]
    assert report["checks"]["sparse"]["errors"][0]["error"] == error
    (result,) = await apply(http, "program", {"program": "diamond", "observations": WALK})
    assert (result["reward"], result["error"]["param"]) == (None, "program")


@pytest.mark.parametrize(("changes", "param"), [({"name": "a b"}, "name"), ({"samples": []}, "samples")])
async def test_a_registration_needs_a_name_and_samples(
    http: httpx.AsyncClient, changes: dict[str, Any], param: str
) -> None:
    answer = await register(http, **changes)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)


async def test_a_step_that_fails_is_flagged_never_a_silent_zero(http: httpx.AsyncClient) -> None:
    item = {"sparse_src": SPARSE, "dense_src": "def dense(o, m):\n    return 1 / o['distance']", "observations": []}
    good, bad = await apply(
        http, "program", {**item, "observations": WALK}, {**item, "observations": [{"diamonds": 1, "distance": 0}]}
    )
    assert "flags" not in good["details"]
    assert bad["rewards"] == [0.0]
    assert bad["details"]["flags"] == ["program_error"]
    assert bad["details"]["errors"] == [{"step": 0, "error": "ZeroDivisionError"}]


async def test_unit_tests_run_one_by_one(http: httpx.AsyncClient) -> None:
    program = "def double(x):\n    return x * 2 if x < 10 else x"
    tests = ["assert double(1) == 2", "assert double(20) == 40", "while True: pass"]
    (result,) = await apply(http, "unit_tests", {"program": program, "tests": tests}, timeout_s=1.0)
    assert result["reward"] == pytest.approx(1 / 3)
    assert result["details"]["passed"] == [1, 0, 0]
    assert result["details"]["errors"] == [None, "AssertionError", "timeout"]


SHOP = {"schema": "CREATE TABLE singer(name TEXT, age INT)", "rows": {"singer": [["a", 25], ["b", 40]]}}


async def test_queries_run_on_a_stored_database_or_one_that_comes_along(http: httpx.AsyncClient) -> None:
    put = await http.put("/v1/state/sets/databases/shop", json={"value": SHOP})
    assert put.status_code == 200
    gold = "SELECT name FROM singer WHERE age > 30"
    for db in ("shop", "sqlite:shop", SHOP):
        right, wrong, broken = await apply(
            http,
            "reasoning_sql",
            *({"pred_sql": p, "gold_sql": gold, "db": db} for p in (gold, gold.replace("30", "20"), "SELEC")),
        )
        assert (right["details"]["exec"], wrong["details"]["exec"], broken["details"]["exec"]) == (1.0, 0.0, 0.0)
        assert (wrong["details"]["syntax"], broken["details"]["syntax"]) == (1.0, 0.0)
    databases = ({"schema": "CREATE"}, "nowhere", SHOP)
    bad, absent, good = await apply(
        http, "reasoning_sql", *({"pred_sql": gold, "gold_sql": gold, "db": db} for db in databases)
    )
    assert (bad["reward"], bad["error"]["param"]) == (absent["reward"], absent["error"]["param"]) == (None, "db")
    assert good["details"]["exec"] == 1.0


async def test_a_recipe_tests_responses(http: httpx.AsyncClient) -> None:
    responses = (
        "def double(x): return x * 2",
        "def double(x): return x ** 2 + x % 2",
        "def double(x): return x + 2",
        "",
    )
    body = {"reward": "tested", "samples": [{"prompt": "Double it.", "response": r} for r in responses]}
    results = (await http.post("/v1/score", json=body)).json()["results"]
    assert [result["reward"] for result in results] == [1.0, 1.0, 0.0, 0.0]


async def test_without_the_operators_word_no_code_runs_and_no_score_is_made_up(closed: httpx.AsyncClient) -> None:
    assert (await register(closed)).status_code == 403
    (program,) = await apply(closed, "program", {"sparse_src": "", "dense_src": "", "observations": WALK})
    given, tested = await apply(closed, "unit_tests", {"passed": [True]}, {"program": "x = 1", "tests": ["pass"]})
    (query,) = await apply(closed, "reasoning_sql", {"pred_sql": "SELECT 1", "gold_sql": "SELECT 1", "db": SHOP})
    for result in (program, tested, query):
        assert result["reward"] is None
        assert "does not run callers' code" in result["error"]["message"]
    assert given["reward"] == 1.0
