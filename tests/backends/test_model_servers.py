"""Two Triton servers behind one gateway: a model is asked where it is, and the loss of one harms only its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from reward_gateway.backends.model_servers import ModelServers
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.oip.protocol import OpenInference
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.backends.conftest import Triton
from tests.backends.fake_triton import FakeTriton
from tests.backends.triton.opening import open_tritons
from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

RECIPES = """
default: first
rewards:
  first: {components: {a: {score: one}}}
  second: {components: {a: {score: two}}}
  shared: {components: {a: {score: both}}}
  sum: {components: {a: {score: one}, b: {score: two}}, combine: mean}
"""


@dataclass
class Pair:
    http: httpx.AsyncClient
    a: FakeTriton
    b: FakeTriton
    models: ModelServers

    async def score(self, reward: str, *responses: str) -> Any:
        samples = [{"prompt": "p", "response": response} for response in responses]
        return await self.http.post("/v1/score", json={"reward": reward, "samples": samples})

    async def rewards(self, reward: str, *responses: str) -> list[Any]:
        answer = (await self.score(reward, *responses)).json()
        return [result["reward"] for result in answer["results"]]


@pytest.fixture
async def pair(anyio_backend: str) -> AsyncIterator[Pair]:
    a, b = FakeTriton({"one": 100.0, "both": 300.0}), FakeTriton({"two": 200.0, "both": 300.0})
    for server in (a, b):
        await server.start()
    upstreams = UpstreamServer({}, lambda changed: Breaker(3, time.monotonic, changed=changed))
    models = ModelServers(open_tritons(a.url, b.url, info_ttl_s=TTL_S), upstreams)
    runtime = EffectsRuntime(CachedScorer(models, NullCache()), StateStore.in_process())
    await runtime.refresh_models()
    gateway = Gateway(load_book(RECIPES, runtime.known_models()), runtime)
    protocol = OpenInference(gateway, Settings())
    async with HttpContract(create_app(gateway, Settings(), open_inference=protocol)).client() as client:
        yield Pair(client, a, b, models)
    await gateway.close()
    for server in (a, b):
        await server.stop()


TTL_S = 3600.0
"""No look at a server during a test, but where a request needs one."""


async def test_each_model_is_asked_where_it_is(pair: Pair) -> None:
    assert await pair.rewards("first", "x", "xx") == [101, 102]
    assert await pair.rewards("second", "x", "xx") == [201, 202]
    assert await pair.rewards("sum", "x") == [151]
    assert set(pair.a.asked) == {"one"}
    assert set(pair.b.asked) == {"two"}
    listed = (await pair.http.get("/v1/models")).json()["models"]
    assert {row["name"]: row["ready"] for row in listed} == dict.fromkeys(("one", "two", "both"), True)
    index = (await pair.http.post("/v2/repository/index")).json()
    assert {row["name"] for row in index} >= {"one", "two", "both"}


async def test_a_model_of_the_second_costs_the_first_nothing(pair: Pair) -> None:
    await pair.rewards("second", "x")
    before = pair.a.looked_up
    for _ in range(5):
        assert await pair.rewards("second", "x") == [201]
    assert pair.a.looked_up == before


@pytest.mark.parametrize("how", ["stops", "hangs"])
@pytest.mark.parametrize("lost", ["a", "b"])
async def test_the_loss_of_one_harms_no_model_of_the_other(pair: Pair, how: str, lost: str) -> None:
    server: FakeTriton = getattr(pair, lost)
    other, its = ("second", 201) if lost == "a" else ("first", 101)
    if how == "stops":
        await server.stop()
    else:
        server.hangs = True
    for _ in range(3):
        async with asyncio.timeout(1.5):  # less than a look at a server may take
            assert await pair.rewards(other, "x") == [its]


async def test_a_model_that_went_with_its_server_says_so_and_is_back_with_it(pair: Pair) -> None:
    await pair.b.stop()
    answer = await pair.score("second", "x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
    ready = (await pair.http.get("/readyz")).json()
    assert ready["ready"] is True, "the default recipe's model is on the other"
    listed = (await pair.http.get("/v1/models")).json()["models"]
    assert {row["name"] for row in listed if row["ready"]} == {"one", "both"}
    await pair.b.start()
    async with asyncio.timeout(60):
        while (await pair.score("second", "x")).status_code != 200:
            await asyncio.sleep(0.05)
    assert await pair.rewards("second", "x") == [201]


async def test_of_a_model_on_both_each_is_asked_in_turn(pair: Pair) -> None:
    for _ in range(6):
        assert await pair.rewards("shared", "x") == [301]
    assert (pair.a.asked, pair.b.asked) == (["both"] * 3, ["both"] * 3)


async def test_a_model_on_both_outlives_either(pair: Pair) -> None:
    await pair.a.stop()
    for _ in range(3):
        assert await pair.rewards("shared", "x") == [301], "the call that finds the first away goes to the second"
    await pair.a.start()
    await pair.b.stop()
    async with asyncio.timeout(60):
        while (await pair.score("shared", "x")).status_code != 200:
            await asyncio.sleep(0.05)


async def test_the_protocols_own_calls_go_where_the_model_is(pair: Pair) -> None:
    column = {"shape": [1, 1], "datatype": "BYTES"}
    inputs = [{"name": "prompt", "data": ["p"], **column}, {"name": "response", "data": ["xx"], **column}]
    for name, score in (("one", 102.0), ("two", 202.0)):
        assert (await pair.http.get(f"/v2/models/{name}/ready")).status_code == 200
        answer = await pair.http.post(
            f"/v2/models/{name}/infer", json={"inputs": inputs, "outputs": [{"name": "score"}]}
        )
        assert answer.json()["outputs"][0]["data"] == [score], answer.text


async def test_a_row_that_the_model_could_not_score_now_is_worth_another_attempt(pair: Pair) -> None:
    pair.a.error = {"away": "unavailable: Its engine restarts.", "busy": "overloaded: Its queue is full."}
    answer = await pair.score("first", "x", "away", "busy")
    results = answer.json()["results"]
    assert results[0]["reward"] == 101
    assert [result["error"]["code"] for result in results[1:]] == ["model_unavailable", "overloaded"]
    for response, code in (("away", "model_unavailable"), ("busy", "overloaded")):
        answer = await pair.score("first", response)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, code)
        assert "retry-after" in answer.headers


async def test_a_real_triton_beside_another(triton_server: Triton) -> None:
    other = FakeTriton({"two": 200.0})
    await other.start()
    upstreams = UpstreamServer({}, lambda changed: Breaker(3, time.monotonic, changed=changed))
    models = ModelServers(open_tritons(other.url, triton_server.url), upstreams)
    batch = Batch(["0"], ["p"], ["four"])
    try:
        listed = {info.name: info.ready for info in await models.models()}
        assert (listed["two"], listed["counting"], listed["bare"]) == (True, True, True)
        deadline = asyncio.get_running_loop().time() + 100
        assert (await models.score("two", batch, [0], deadline)).values.tolist() == [[204]]
        assert (await models.score("counting", batch, [0], deadline)).values.tolist() == [[1, 4]]
        await other.stop()
        assert (await models.score("bare", batch, [0], deadline)).values.tolist() == [[4]]
        assert (await models.score("two", batch, [0], deadline)).invalid[0].code == "model_unavailable"
    finally:
        await models.close()
        await other.stop()
