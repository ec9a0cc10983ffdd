"""Adaptive coefficients over HTTP: they are of a run, can be read, put and reset, and a repeat counts once."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.pages.answers import NoModels
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  constrained:
    components:
      reward: {score: given, inputs: {value: {feature: r}}}
      cost: {score: given, inputs: {value: {feature: c}}}
    combine: {lagrangian: {name: c}}
"""
LAGRANGIAN = {"items": [{"reward": 2.0, "cost": 0.5}], "params": {"name": "c"}}
SAMPLES = {"reward": "constrained", "samples": [{"prompt": "p", "response": "r", "features": {"r": 2.0, "c": 0.5}}]}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process())
    async with HttpContract(create_app(Gateway(load_book(RECIPES), runtime), Settings())).client() as client:
        yield client
    await runtime.close()


async def ask(http: httpx.AsyncClient, path: str, body: dict[str, Any], **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await http.post(path, json=body, headers=named)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


async def test_a_recipe_and_an_operation_of_one_name_share_the_runs_multiplier(http: httpx.AsyncClient) -> None:
    (first,) = await ask(http, "/v1/score", SAMPLES, X_Run="a")
    (second,) = await ask(http, "/v1/combine/lagrangian", LAGRANGIAN, X_Run="a")
    (other,) = await ask(http, "/v1/combine/lagrangian", LAGRANGIAN, X_Run="b")
    assert first["reward"] == other["reward"] == 1.5
    assert (second["reward"], second["details"]["multiplier"]) == (1.475, 1.05)


async def test_a_repeat_with_the_same_key_counts_once(http: httpx.AsyncClient) -> None:
    for path, body in (("/v1/score", SAMPLES), ("/v1/combine/lagrangian", LAGRANGIAN)):
        answers = [await ask(http, path, body, Idempotency_Key=path.replace("/", "-")) for _ in range(3)]
        assert answers[0][0]["reward"] == answers[2][0]["reward"]
    assert (await http.get("/v1/state/coefficients/c")).json()["value"]["updates"] == 2


async def test_it_is_listed_shown_put_and_reset(http: httpx.AsyncClient) -> None:
    await ask(http, "/v1/combine/lagrangian", LAGRANGIAN, X_Run="a")
    listed = (await http.get("/v1/state?run=a")).json()["state"]
    assert listed == [{"kind": "coefficients", "name": "c", "version": 1, "owner": "run"}]
    assert {"run": "a", "kinds": ["coefficients"]} in (await http.get("/v1/state:runs")).json()["runs"]
    address = "/v1/state/coefficients/c?run=a"
    assert (await http.get(address)).json()["value"] == {"value": 1.05, "updates": 1}
    put = await http.put(address, json={"value": {"value": 3.0, "updates": 0}})
    assert put.json()["value"]["value"] == 3.0
    (priced,) = await ask(http, "/v1/combine/lagrangian", LAGRANGIAN, X_Run="a")
    assert priced["reward"] == 0.5
    refused = await http.put(address, json={"value": {"value": -1.0, "updates": 0}})
    assert refused.status_code == 422
    assert (await http.delete(address)).status_code == 200
    (anew,) = await ask(http, "/v1/combine/lagrangian", LAGRANGIAN, X_Run="a")
    assert anew["reward"] == 1.5


async def test_a_name_of_the_tenant_is_shared_by_its_runs(http: httpx.AsyncClient) -> None:
    shared = {**LAGRANGIAN, "params": {"name": "tenant/c"}}
    await ask(http, "/v1/combine/lagrangian", shared, X_Run="a")
    (second,) = await ask(http, "/v1/combine/lagrangian", shared, X_Run="b")
    assert second["details"]["multiplier"] == 1.05
