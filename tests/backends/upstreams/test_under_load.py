"""A whole gateway in front of an upstream, with its cache, while many callers post one sample each."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from reward_gateway.backends.model_servers import ModelServers
from reward_gateway.backends.upstreams import upstream
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.experiments.shadow import Shadow
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.backends.fake_triton import FakeTriton
from tests.backends.triton.opening import open_tritons
from tests.clock import LONGEST_WAIT_S

from .conftest import FakeServer, OpenUpstreams, StartServer, entry, raw_scores

pytestmark = pytest.mark.anyio

POSTS = 2000 if "UPSTREAMS_PYTHON" in os.environ else 400
"""`make test-upstreams` has the time for a whole storm."""

RECIPES = """
default: on_upstream
rewards:
  on_upstream: {components: {a: {score: rm}}}
  on_triton: {components: {a: {score: length}}}
experiments:
  trial: {model: length, candidate: rm, fraction: 1}
"""


@dataclass
class Loaded:
    http: httpx.AsyncClient
    server: FakeServer
    triton: FakeTriton

    async def score(self, reward: str, response: str) -> Any:
        body = {"reward": reward, "samples": [{"prompt": "p", "response": response}]}
        while (answer := await self.http.post("/v1/score", json=body)).status_code == 503:
            await asyncio.sleep(0.01)  # as every client does
        return answer.json()

    async def scores(self, n: int, reward: str = "on_upstream") -> tuple[list[float], int]:
        """The rewards of posts of one sample each, all at once, and how many came from the cache."""
        answers = await asyncio.gather(*(self.score(reward, f"sample {k}") for k in range(n)))
        rewards = [answer["results"][0]["reward"] for answer in answers]
        return rewards, sum(answer["usage"]["cache_hits"] for answer in answers)

    async def version(self) -> str:
        models = (await self.http.get("/v1/models")).json()["models"]
        return str(next(row["version"] for row in models if row["name"] == "rm"))

    async def other_version(self, version: str) -> str:
        async with asyncio.timeout(LONGEST_WAIT_S):
            while (found := await self.version()) == version:
                await asyncio.sleep(0.01)
        return found


@pytest.fixture
async def loaded(
    start: StartServer, upstreams: OpenUpstreams, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Loaded]:
    monkeypatch.setattr(upstream, "LOOK_EVERY_S", 0.05)
    server, triton = await start("vllm"), FakeTriton({"length": 0.0})
    await triton.start()
    limits = {"in_flight": 2, "batch": 64}
    served = upstreams(rm=entry(server, "vllm_classify", input="response", limits=limits))
    models = ModelServers(open_tritons(triton.url), served)
    runtime = EffectsRuntime(CachedScorer(models, MemoryCache(100_000, 3600)), StateStore.in_process())
    await runtime.refresh_models()
    gateway = Gateway(load_book(RECIPES, runtime.known_models()), runtime, shadow=Shadow(runtime))
    app = create_app(gateway, Settings())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=None
    ) as client:
        yield Loaded(client, server, triton)
    await gateway.close()
    await triton.stop()


def expected(n: int, weights: int = 0) -> list[Any]:
    return [pytest.approx(raw_scores(f"sample {k}", weights)[0], abs=1e-5) for k in range(n)]


def sizes(server: FakeServer) -> list[int]:
    """Rows of each call about samples."""
    return [len(body["input"]) for body in server.asked if "sample" in str(body["input"])]


async def test_a_storm_of_single_posts_is_scored_in_batches_and_once(loaded: Loaded) -> None:
    assert await loaded.scores(POSTS) == (expected(POSTS), 0)
    assert sum(sizes(loaded.server)) == POSTS
    assert len(sizes(loaded.server)) < POSTS / 10
    assert max(sizes(loaded.server)) <= 64
    assert await loaded.scores(POSTS) == (expected(POSTS), POSTS)
    assert sum(sizes(loaded.server)) == POSTS, "nothing is asked twice"


async def test_a_version_that_changes_under_load_gives_no_score_of_another(loaded: Loaded) -> None:
    first = await loaded.version()
    old, new = expected(60), expected(60, weights=1)
    assert (await loaded.scores(60))[0] == old
    ending = asyncio.Event()

    async def go_on() -> None:
        while not ending.is_set():
            rewards, _ = await loaded.scores(60)
            assert all(reward in (a, b) for reward, a, b in zip(rewards, old, new, strict=True))

    load = asyncio.create_task(go_on())
    loaded.server.weights = 1
    second = await loaded.other_version(first)
    assert (await loaded.scores(60))[0] == new, "what is cached is the other version's"
    loaded.server.weights = 0
    assert await loaded.other_version(second) == first
    ending.set()
    await load
    rewards, hits = await loaded.scores(60)
    assert (rewards, hits) == (old, 60), "the cached scores of these weights are theirs again"


async def test_a_candidate_on_another_server_is_compared_with_a_model_on_triton(loaded: Loaded) -> None:
    rewards, _ = await loaded.scores(50, "on_triton")
    assert rewards == [len(f"sample {k}") for k in range(50)], "callers see the model's own scores"
    async with asyncio.timeout(LONGEST_WAIT_S):
        while True:
            (report,) = (await loaded.http.get("/v1/experiments")).json()["experiments"]
            if report.get("samples") == 50:
                break
            await asyncio.sleep(0.01)
    assert sum(sizes(loaded.server)) == 50
    assert set(report["versions"]) == {await loaded.version(), "1"}
