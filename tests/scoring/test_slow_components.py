"""A slow component holds back nobody but those that read it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid, Scored
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.state.store import StateStore

from tests.clock import LONGEST_WAIT_S, turns

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  beside:
    components:
      slow: {score: slow}
      quick: {score: quick}
      behind: {score: behind, when: {quick: {above: 1}}, otherwise: 0}
      last: {score: last, when: {behind: {above: 1}}, otherwise: 0}
    combine: weighted_sum
  both:
    components:
      slow: {score: slow}
      quick: {score: quick}
      behind: {score: behind, when: {quick: {above: 1}, slow: {above: 1}}, otherwise: 0}
    combine: weighted_sum
  reused:
    components:
      slow: {score: slow, when: {has: reference}, otherwise: 2}
      quick: {score: quick}
      again: {score: slow, when: {quick: {above: 1}}, otherwise: 0}
    combine: weighted_sum
  counted:
    components:
      slow: {score: slow, transforms: [{running_normalise: {stream: one}}]}
      quick: {score: quick, transforms: [{running_normalise: {stream: one}}]}
      of_slow: {score: behind, when: {slow: {above: -9}}, otherwise: 0}
      of_quick: {score: last, when: {quick: {above: -9}}, otherwise: 0}
    combine: weighted_sum
"""

NAMES = ("slow", "quick", "behind", "last")


@dataclass
class Models:
    """Each gives the length of the response, once its gate is open, and tells that it was asked.

    Attributes:
        failing: by model, the responses that it cannot score.
    """

    gates: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    seen: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in NAMES]

    async def info(self, name: str) -> ModelInfo:
        return ModelInfo(name, "1", True, ("prompt", "response"), ("length",), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        texts = [str(batch.responses[i]) for i in rows]
        self.asked.append((name, texts))
        self.seen[name].set()
        await self.gates[name].wait()
        failed = [k for k, text in enumerate(texts) if text == self.failing.get(name)]
        values = np.array([[np.nan if k in failed else float(len(text))] for k, text in enumerate(texts)])
        return ModelAnswer(values, dict.fromkeys(failed, Invalid("model_error", "it failed")), calls=1, version="1")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


@dataclass
class Scoring:
    models: Models
    gateway: Gateway

    def begin(self, reward: str, *responses: str, references: list[Any] | None = None) -> asyncio.Task[Scored]:
        names = [str(i) for i in range(len(responses))]
        batch = Batch(names, ["p"] * len(responses), list(responses), references=references)
        return asyncio.create_task(self.gateway.score(batch, reward))

    async def saw(self, *models: str) -> None:
        """Until these have been asked."""
        async with asyncio.timeout(LONGEST_WAIT_S):
            for name in models:
                await self.models.seen[name].wait()

    def release(self, *models: str) -> None:
        for name in models:
            self.models.gates[name].set()


@pytest.fixture(params=[NullCache, lambda: MemoryCache(100, 60.0)], ids=["uncached", "cached"])
async def scoring(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Scoring]:
    models = Models()
    runtime = EffectsRuntime(CachedScorer(models, request.param()), StateStore.in_process())
    await runtime.refresh_models()
    yield Scoring(models, Gateway(load_book(RECIPES, runtime.known_models()), runtime))
    await runtime.workers.close()


async def test_what_reads_a_quick_component_is_asked_while_a_slow_one_runs(scoring: Scoring) -> None:
    scored = scoring.begin("beside", "a", "bb", "ccc")
    scoring.release("quick", "behind", "last")
    await scoring.saw("slow", "behind", "last")
    assert not scored.done()
    scoring.release("slow")
    assert (await scored).reward.tolist() == [2.0, 8.0, 12.0]
    assert scoring.models.asked[2:] == [("behind", ["bb", "ccc"]), ("last", ["bb", "ccc"])]


async def test_what_reads_both_waits_for_both(scoring: Scoring) -> None:
    scored = scoring.begin("both", "a", "bb")
    await scoring.saw("slow", "quick")
    scoring.release("quick", "behind")
    scoring.release("slow")
    assert (await scored).reward.tolist() == [2.0, 6.0]
    assert [name for name, _ in scoring.models.asked] == ["slow", "quick", "behind"]


@pytest.mark.parametrize("first", ["slow", "quick"])
async def test_a_sample_that_fails_in_a_slow_component_is_asked_about_whichever_comes_first(
    scoring: Scoring, first: str
) -> None:
    scoring.models.failing["slow"] = "bb"
    scored = scoring.begin("beside", "a", "bb", "ccc")
    await scoring.saw("slow", "quick")
    scoring.release(first)
    await turns(100)
    scoring.release(*NAMES)
    found = await scored
    assert {row: (reason.code, reason.component) for row, reason in found.invalid.items()} == {
        1: ("model_error", "slow")
    }
    assert ("behind", ["bb", "ccc"]) in scoring.models.asked
    assert found.reward[[0, 2]].tolist() == [2.0, 12.0]


async def test_a_model_that_is_being_asked_is_not_asked_about_the_same_samples_again(scoring: Scoring) -> None:
    scored = scoring.begin("reused", "a", "bb", "ccc", references=[None, "x", None])
    await scoring.saw("slow", "quick")
    scoring.release("quick", "slow")
    assert (await scored).reward.tolist() == [3.0, 6.0, 8.0]
    assert sorted(scoring.models.asked) == [("quick", ["a", "bb", "ccc"]), ("slow", ["bb"]), ("slow", ["ccc"])]


@pytest.mark.parametrize("order", [("slow", "quick"), ("quick", "slow")])
async def test_state_does_not_depend_on_which_model_was_first(scoring: Scoring, order: tuple[str, str]) -> None:
    scored = scoring.begin("counted", "a", "bb", "cccc")
    await scoring.saw("slow", "quick")
    scoring.release("behind", "last")
    first, second = order
    scoring.release(first)
    await turns(100)
    scoring.release(second)
    found = await scored
    np.testing.assert_allclose(found.components["slow"].value, [-0.872872, -0.218218, 1.091089], atol=1e-6)
    np.testing.assert_allclose(found.components["quick"].value, [-0.975900, -0.243975, 1.219875], atol=1e-6)
