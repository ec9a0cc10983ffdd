"""Jobs over HTTP, with a runner beside them; only the model server is a stand-in, to be told what to do."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.http.encode import encode_scored
from reward_gateway.jobs.runner import JobRunner
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.guard import Traffic

from tests.clock import Gate
from tests.contract import HttpContract
from tests.valkey import Valkey

RECIPES = """
rewards:
  plain:
    components: {length: {score: length}}
  grouped:
    components: {length: {score: length}}
    group: {normalize: mean}
  running:
    components: {length: {score: length, transforms: [{running_normalise: {stream: lengths}}]}}
  constrained:
    components:
      reward: {score: length}
      cost: {score: response_length, transforms: [{affine: {scale: 0.5}}]}
    combine: {lagrangian: {name: wordy}}
  compared:
    components: {length: {score: length}}
    group: {normalize: mean, cohort: {size: 2, timeout_s: 60}}
  strict:
    components: {length: {score: length}}
    on_invalid: fail
  judged:
    components: {quality: {score: judge_rubric, params: {judge: none}}}
default: plain
"""


@dataclass
class Lengths:
    """A model server with one model, the length of the response, which may be held at its gate."""

    gate: Gate = field(default_factory=Gate)
    rows: int = 0
    failures: list[Exception] = field(default_factory=list)

    async def models(self) -> list[ModelInfo]:
        return [await self.info("length")]

    async def info(self, name: str) -> ModelInfo:
        if name != "length":
            raise NotFound("no such model")
        return ModelInfo("length", "1", True, ("prompt", "response"), ("length",), 4096)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        if not await self.gate.passed(deadline):
            late = Invalid("deadline_exceeded", "the deadline passed before the model answered")
            return ModelAnswer(np.full((len(rows), 1), np.nan), invalid=dict.fromkeys(range(len(rows)), late))
        if self.failures:
            raise self.failures.pop(0)
        self.rows += len(rows)
        return ModelAnswer(np.array([[float(len(str(batch.responses[i])))] for i in rows]), calls=1, version="1")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass


@dataclass
class Served:
    """An application that takes jobs, and what scores them."""

    client: httpx.AsyncClient
    app: FastAPI
    models: Lengths
    gateway: Gateway
    runner: JobRunner

    async def submit(self, body: Any, status: int = 202, **headers: str) -> Any:
        """The answer to a submission; header names with underscores."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.post("/v1/jobs", json=body, headers=names)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def finish(self, job: str) -> Any:
        """The job once it has come to its end, with all its results."""
        results: list[Any] = []
        cursor = ""
        async with asyncio.timeout(60):
            while True:
                params: dict[str, str | int] = {"wait_s": 10, **({"after": cursor} if cursor else {})}
                page = (await self.client.get(f"/v1/jobs/{job}", params=params)).json()
                results += page["results"]
                cursor = page["cursor"]
                if "usage" in page and not page["results"]:
                    return {**page, "results": results}


@pytest.fixture(params=["in_process", "redis"])
async def state(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[StateStore]:
    if request.param == "in_process":
        yield StateStore.in_process()
        return
    valkey: Valkey = request.getfixturevalue("valkey_process")
    async with Redis.from_url(valkey.url, socket_timeout=60.0) as client:
        await client.flushdb()
    store = StateStore.connect(valkey.url, timeout_s=60.0)
    yield store
    await store.close()


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    return Settings(**{"workers": 1, **getattr(request, "param", {})})


@pytest.fixture
async def served(state: StateStore, settings: Settings) -> AsyncIterator[Served]:
    models, telemetry = Lengths(), Telemetry()
    runtime = EffectsRuntime(CachedScorer(models, NullCache()), state)
    await runtime.refresh_models()
    gateway = Gateway(load_book(RECIPES, runtime.known_models()), runtime, telemetry.metrics)
    traffic = Traffic.of(settings, telemetry.metrics)
    app = create_app(gateway, settings, telemetry, traffic)
    runner = JobRunner(gateway, settings, traffic.admission, partial(encode_scored), telemetry.metrics)
    runner.start()
    async with HttpContract(app).client() as client:
        yield Served(client, app, models, gateway, runner)
    await runner.close()
    await runtime.workers.close()
