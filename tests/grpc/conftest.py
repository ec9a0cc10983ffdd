"""A real gRPC server on a free port, over a real gateway. Only the model server is a stand-in."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import ModelUnavailable, NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.grpc import server
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.proto.reward_pb2_grpc import RewardServiceStub
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Invalid, plain_text
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from reward_gateway.traffic.guard import Traffic

from tests.clock import Gate
from tests.contract import interceptors

RECIPES = """
rewards:
  plain:
    description: What the model says.
    range: [0, 100]
    components:
      quality: {score: letters}
  mixed:
    components:
      quality: {score: letters, transforms: [{affine: {scale: 0.5, shift: 1.0}}]}
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}}
    guards: [empty_response]
    combine: {weighted_sum: {over: [quality, brevity]}}
  in_groups:
    components:
      quality: {score: letters}
    group: {normalize: mean}
  looks:
    components:
      sight: {score: pictures}
  right:
    components:
      same: {score: exact_match}
default: plain
"""

KNOWN = {
    "letters": KnownModel(("response",)),
    "pictures": KnownModel(("response", "images")),
    "pairs": KnownModel(("prompt", "response")),
}


@dataclass
class Letters:
    """Scores a sample by counting: ``letters`` of the response, ``pictures`` of the sample."""

    calls: list[int] = field(default_factory=list)
    seen: list[Batch] = field(default_factory=list)
    away: bool = False
    lost: set[str] = field(default_factory=set)
    gate: Gate = field(default_factory=Gate)

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in ("letters", "pictures")]

    async def info(self, name: str) -> ModelInfo:
        if self.away:
            raise ModelUnavailable("the model server is away")
        if name not in KNOWN:
            raise NotFound("there is no such model")
        if name in self.lost:
            raise ModelUnavailable("the model is not loaded")
        if name not in KNOWN:
            raise NotFound("there is no such model")
        return ModelInfo(name, "1", True, KNOWN[name].inputs, ("count",), 1024)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        self.calls.append(len(rows))
        self.seen.append(batch)
        if not await self.gate.passed(deadline):
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
    """A server that runs, and what a test wants to reach of it."""

    stub: Any
    channel: grpc.aio.Channel
    gateway: Gateway
    models: Letters
    traffic: Traffic
    server: server.GrpcServer
    settings: Settings


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def serving(
    observer: Observer = UNOBSERVED,
    tracer: Any = None,
    recipes: str = RECIPES,
    state: StateStore | None = None,
    **overrides: Any,
) -> AsyncIterator[Served]:
    settings = Settings(**overrides)
    models = Letters()
    gateway = Gateway(load_book(recipes, KNOWN), EffectsRuntime(CachedScorer(models, NullCache()), state), observer)
    traffic = Traffic.of(settings, observer)
    running = await server.start(gateway, settings, traffic, observer, port=0, tracer=tracer)
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}", options, interceptors=interceptors()) as channel:
        try:
            stub: Any = RewardServiceStub(channel)  # type: ignore[no-untyped-call]
            yield Served(stub, channel, gateway, models, traffic, running, settings)
        finally:
            await running.stop(0)
            await gateway.close()


@pytest.fixture
def serve() -> Serve:
    """``async with serve(max_samples=2) as served:`` a server with these settings."""
    return serving


@pytest.fixture
async def served(anyio_backend: str) -> AsyncIterator[Served]:
    async with serving() as running:
        yield running
