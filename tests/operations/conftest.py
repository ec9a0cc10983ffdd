"""Operations are tried the way a caller meets them: items and parameters in, one result an item out."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import (
    AskJudgeAgain,
    Effect,
    FindJudgeLimits,
    RunSandboxed,
    ScoreSteps,
    TokenLogprobs,
    Vector,
)
from reward_gateway.operations.registry import catalog
from reward_gateway.operations.worked_examples import WorkedExample
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

Call = Callable[..., list[dict[str, Any]]]


def call_operation(path: str, *items: Any, answers: list[Any] | None = None, **params: Any) -> list[dict[str, Any]]:
    """Call ``kind/name`` over items; ``answers`` stand in for what the world answers to its needs, in order.

    A judge is not asked again for an answer that cannot be read.
    """
    kind, _, name = path.partition("/")
    operation = catalog().get(kind, name)
    assert operation is not None, f"no operation {path}"
    steps = apply(operation, list(items), params)
    replies: list[Any] = [None, *(answers or [])]
    while True:
        assert replies, "the operation needs more from outside than the test gave"
        try:
            if isinstance(steps.send(replies.pop(0)), AskJudgeAgain | FindJudgeLimits):
                replies.insert(0, None)
        except StopIteration as stop:
            results: list[dict[str, Any]] = stop.value
            return results


@pytest.fixture(scope="session")
def call() -> Call:
    """``call("transform/affine", {"reward": 1.0}, scale=2.0)`` gives the results."""
    return call_operation


@dataclass
class GivenModels:
    """A model server whose scores are those that the example gives; without any it has no model."""

    scores: dict[str, list[float]] = field(default_factory=dict)

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in self.scores]

    async def info(self, name: str) -> ModelInfo:
        if name not in self.scores:
            raise NotFound(f"there is no model {name}")
        return ModelInfo(name, "1", True, ("prompt", "response", "frames"), ("score",), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        values = np.array([[self.scores[name][i]] for i in rows])
        return ModelAnswer(values, calls=1, version="1")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


class GivenWorld(EffectsRuntime):
    """A world with state in this process, in which models and sandbox answer what the example gives."""

    def __init__(self) -> None:
        self.given_models = GivenModels()
        self.given_sandbox: list[Any] | None = None
        self.given_logprobs: list[list[float]] | None = None
        self.given_steps: list[list[float]] | None = None
        super().__init__(CachedScorer(self.given_models, NullCache()), StateStore.in_process())

    def give(self, example: WorkedExample) -> None:
        self.given_models.scores = example.given.get("models", {})
        self.given_sandbox = example.given.get("sandbox")
        self.given_logprobs = example.given.get("logprobs")
        self.given_steps = example.given.get("steps")

    async def answer_effect(self, effect: Effect[Any], context: RequestContext) -> Any:
        if isinstance(effect, RunSandboxed) and self.given_sandbox is not None:
            return self.given_sandbox
        if isinstance(effect, TokenLogprobs) and self.given_logprobs is not None:
            return [Vector(np.array(tokens)) for tokens in self.given_logprobs]
        if isinstance(effect, ScoreSteps) and self.given_steps is not None:
            return [Vector(np.array(steps)) for steps in self.given_steps]
        return await super().answer_effect(effect, context)


@pytest.fixture(scope="module")
def given_world() -> GivenWorld:
    """``given_world.give(example)`` puts behind the service what the example gives."""
    return GivenWorld()


@pytest.fixture(scope="module")
async def http(given_world: GivenWorld) -> AsyncIterator[httpx.AsyncClient]:
    """The service over ``given_world``."""
    recipes = load_book("rewards: {given: {components: {a: {score: given}}}}")
    app = create_app(Gateway(recipes, given_world), Settings())
    async with HttpContract(app).client(timeout=60) as client:
        yield client
    await given_world.close()
