"""The application over a real gateway; only the model server is a stand-in, to be told what to do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import ModelUnavailable, NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Invalid, plain_text
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.guard import Traffic

from tests.clock import Gate
from tests.contract import HttpContract

RECIPES = """
rewards:
  plain:
    description: What the model says.
    components:
      quality: {score: letters}
  mixed:
    components:
      quality: {score: letters, transforms: [{affine: {scale: 0.5, shift: 1.0}}]}
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}}
    guards: [empty_response]
    combine: {weighted_sum: {over: [quality, brevity]}}
  strict:
    components:
      quality: {score: letters}
    on_invalid: fail
  looks:
    components:
      sight: {score: pictures}
default: plain
"""

CONDITIONAL = """
rewards:
  routed:
    components:
      task:
        score:
          by: metadata.task
          cases:
            letters: {score: letters}
            words: {score: length_penalty, params: {free_words: 0, per_word: 1}}
  staged:
    components:
      first: {score: length_penalty, params: {free_words: 0, per_word: 1}}
      quality: {score: letters, when: {first: {at_least: -1}}, otherwise: 0.5}
    combine: weighted_sum
  judged:
    components:
      first: {score: length_penalty, params: {free_words: 0, per_word: 1}}
      quality: {score: judge_rubric, params: {judge: none}, when: {first: {at_least: -1}}, otherwise: 0.5}
    combine: weighted_sum
  plain: {components: {quality: {score: letters}}}
"""
"""Recipes whose components are computed for some of the samples, or by a scorer of their own."""

READS = {"letters": ("response",), "pictures": ("response", "images"), "pairs": ("prompt", "response")}
KNOWN = {name: KnownModel(inputs) for name, inputs in READS.items()}


@dataclass
class Letters:
    """Counts: ``letters`` of the response, ``pictures`` of the sample. It may be away, be held at its gate, or fail."""

    seen: list[Batch] = field(default_factory=list)
    away: bool = False
    lost: set[str] = field(default_factory=set)
    held: bool = False  # beside those that are served, the repository holds another
    gate: Gate = field(default_factory=Gate)
    failure: Exception | None = None
    running: int = 0
    cancelled: int = 0

    async def models(self) -> list[ModelInfo]:
        held = [ModelInfo("held", "", False, (), (), 0, wanted=False)] if self.held else []
        return [*held, *[await self.info(name) for name in READS]]

    async def info(self, name: str) -> ModelInfo:
        if self.away:
            raise ModelUnavailable("the model server is away")
        if name not in READS or name in self.lost:
            raise NotFound("there is no such model")
        return ModelInfo(name, "1", True, READS[name], ("count",), 1024, card={"accuracy": 0.7})

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        self.seen.append(batch)
        if self.failure is not None:
            raise self.failure
        self.running += 1
        try:
            in_time = await self.gate.passed(deadline)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if not in_time:
            late = Invalid("deadline_exceeded", "the deadline passed before the model answered")
            return ModelAnswer(np.full((len(rows), 1), np.nan), invalid=dict.fromkeys(range(len(rows)), late))
        if name == "pictures":
            values = [len(batch.images[i]) if batch.images else 0 for i in rows]
        else:
            values = [len(plain_text(batch.responses[i] or "")) for i in rows]
        return ModelAnswer(np.array(values, dtype=np.float64).reshape(-1, 1), calls=1, version="1")

    async def ready(self) -> bool:
        return not self.away

    async def close(self) -> None: ...


@dataclass
class Served:
    """An application with a client of it and everything behind it."""

    client: httpx.AsyncClient
    app: FastAPI
    models: Letters
    traffic: Traffic
    telemetry: Telemetry

    async def score(self, body: Any, **kwargs: Any) -> httpx.Response:
        """POST /v1/score, with bytes as they are and anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post("/v1/score", content=content, **kwargs)

    @staticmethod
    def refused(answer: httpx.Response, status: int, param: str | None = None) -> dict[str, Any]:
        """The error of a refusal, which always has the same shape."""
        assert answer.status_code == status, answer.text
        error: dict[str, Any] = answer.json()["error"]
        assert set(error) == {"code", "message", "type", "param"}
        assert error["message"]
        assert error["param"] == param
        return error

    async def metric(self, line: str) -> float:
        """The value of the line of /metrics that begins so; 0 if there is none."""
        page = (await self.client.get("/metrics")).text
        return next((float(row.rsplit(" ", 1)[1]) for row in page.splitlines() if row.startswith(line)), 0.0)


def build(
    settings: Settings, telemetry: Telemetry | None = None, recipes: str = RECIPES
) -> tuple[FastAPI, Letters, Traffic, Telemetry]:
    """The application and the parts behind it."""
    models, telemetry = Letters(), telemetry or Telemetry()
    runtime = EffectsRuntime(CachedScorer(models, NullCache()), known_models=KNOWN)
    gateway = Gateway(load_book(recipes, KNOWN), runtime, telemetry.metrics)
    telemetry.metrics.rewards.register(gateway.book.plans)
    telemetry.metrics.flags.register(["empty_response"])
    traffic = Traffic.of(settings, telemetry.metrics)
    return create_app(gateway, settings, telemetry, traffic), models, traffic, telemetry


@asynccontextmanager
async def serving(given: Telemetry | None = None, recipes: str = RECIPES, **settings: Any) -> AsyncIterator[Served]:
    """The application in this process, under the settings given."""
    app, models, traffic, telemetry = build(Settings(**settings), given, recipes)
    async with HttpContract(app).client() as client:
        yield Served(client, app, models, traffic, telemetry)
    await app.state.dependencies.gateway.close()


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve() -> Serve:
    """``async with serve(max_samples=2) as served``."""
    return serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """The application under the default settings."""
    async with serving() as found:
        yield found


@pytest.fixture
def app() -> FastAPI:
    """The application alone."""
    return build(Settings())[0]
