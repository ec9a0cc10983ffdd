"""A component has a time of its own: what is late is invalid, or has the value that the recipe says."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import DeadlineExceeded, InvalidRecipe, NotFound
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid, Scored
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.state.namespace import NO_NAMESPACE
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  invalid:
    components:
      quick: {score: quick}
      slow: {score: slow, timeout_s: 0.05}
    combine: {weighted_sum: {weights: {quick: 1.0, slow: 1.0}}}
  otherwise:
    components:
      quick: {score: quick}
      slow: {score: slow, timeout_s: 0.05, on_timeout: otherwise, otherwise: -2.0}
    combine: {weighted_sum: {weights: {quick: 1.0, slow: 1.0}}}
  shared:
    components:
      patient: {score: slow}
      hasty: {score: slow, timeout_s: 0.05, on_timeout: otherwise, otherwise: -2.0}
    combine: {weighted_sum: {weights: {patient: 1.0, hasty: 1.0}}}
  counted:
    components:
      slow:
        score: slow
        transforms: [{running_normalise: {stream: slow}}]
        timeout_s: 0.05
        on_timeout: otherwise
        otherwise: 0.5
"""


@dataclass
class Models:
    """``quick`` answers at once and ``slow`` after some seconds: the length of the response."""

    slow_s: float = 0.0
    late_only: set[str] = field(default_factory=set)
    """Responses for which it is slow; all, if empty."""

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in ("quick", "slow")]

    async def info(self, name: str) -> ModelInfo:
        if name not in ("quick", "slow"):
            raise NotFound("no such model")
        return ModelInfo(name, "1", True, ("prompt", "response"), ("length",), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        values = np.array([[float(len(str(batch.responses[i])))] for i in rows])
        late = [k for k, i in enumerate(rows) if name == "slow" and self.is_late(str(batch.responses[i]))]
        left_s = deadline - asyncio.get_running_loop().time()
        if not late or self.slow_s <= left_s:
            return ModelAnswer(values, calls=1, version="1")
        await asyncio.sleep(max(0.0, left_s))
        reason = Invalid("deadline_exceeded", "the deadline passed before the model answered")
        values[late] = np.nan
        return ModelAnswer(values, dict.fromkeys(late, reason), calls=1, version="1")

    def is_late(self, response: str) -> bool:
        return self.slow_s > 0 and (not self.late_only or response in self.late_only)

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass


@dataclass
class Scoring:
    """A gateway over the two models."""

    models: Models
    gateway: Gateway

    async def score(self, reward: str, *responses: str, deadline_s: float = 60.0) -> Scored:
        batch = Batch([str(i) for i in range(len(responses))], ["p"] * len(responses), list(responses))
        options = ScoreOptions(deadline=asyncio.get_running_loop().time() + deadline_s)
        return await self.gateway.score(batch, reward, options)


@pytest.fixture
async def scoring(anyio_backend: str) -> AsyncIterator[Scoring]:
    models = Models()
    runtime = EffectsRuntime(CachedScorer(models, NullCache()), StateStore.in_process())
    await runtime.refresh_models()
    yield Scoring(models, Gateway(load_book(RECIPES, runtime.known_models()), runtime))
    await runtime.workers.close()


async def test_a_component_in_time_is_as_ever(scoring: Scoring) -> None:
    for reward in ("invalid", "otherwise"):
        scored = await scoring.score(reward, "a", "abc")
        assert (scored.reward.tolist(), scored.invalid, scored.flags) == ([2.0, 6.0], {}, {})


async def test_a_late_component_makes_the_sample_invalid(scoring: Scoring) -> None:
    scoring.models.slow_s, scoring.models.late_only = 5.0, {"abc"}
    scored = await scoring.score("invalid", "a", "abc")
    assert scored.reward[0] == 2.0
    late = scored.invalid[1]
    assert (late.code, late.component) == ("deadline_exceeded", "slow")
    assert late.message == "it was not computed within its 0.05 s"


async def test_a_late_component_has_the_value_that_the_recipe_says(scoring: Scoring) -> None:
    scoring.models.slow_s, scoring.models.late_only = 5.0, {"abc"}
    scored = await scoring.score("otherwise", "a", "abc")
    assert scored.reward.tolist() == [2.0, 1.0]
    assert scored.flags == {1: ("timed_out",)}
    slow = scored.components["slow"]
    assert (list(slow.skipped or ()), slow.value.tolist()) == ([None, "timeout"], [1.0, -2.0])
    assert scored.usage.skipped == 1


async def test_the_end_of_the_request_is_no_limit_of_a_component(scoring: Scoring) -> None:
    scoring.models.slow_s = 5.0
    with pytest.raises(DeadlineExceeded):
        await scoring.score("otherwise", "a", "bc", deadline_s=0.02)


async def test_a_model_has_the_time_of_its_most_patient_reader(scoring: Scoring) -> None:
    scoring.models.slow_s = 0.2
    scored = await scoring.score("shared", "a")
    assert (scored.reward.tolist(), scored.flags) == ([2.0], {})


async def test_late_samples_enter_no_moments(scoring: Scoring) -> None:
    scoring.models.slow_s, scoring.models.late_only = 5.0, {"late"}
    scored = await scoring.score("counted", "a", "late", "abc")
    assert scored.reward[1] == 0.5
    moments = scoring.gateway.runtime.state.within(NO_NAMESPACE).moments
    stored: Any = await moments.export_value("slow")
    assert stored["count"] == 2


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ("{score: quick, on_timeout: otherwise, otherwise: 0}", "it needs `timeout_s`"),
        ("{score: quick, timeout_s: 1, on_timeout: otherwise}", "say with `otherwise`"),
        ("{score: quick, timeout_s: 1, otherwise: 0}", "`otherwise` needs `when`, or `on_timeout: otherwise`"),
        ("{score: quick, timeout_s: 0}", "greater than 0"),
    ],
)
async def test_a_limit_that_says_too_little_is_a_fault(scoring: Scoring, component: str, message: str) -> None:
    with pytest.raises(InvalidRecipe) as refused:
        load_book(f"rewards: {{r: {{components: {{q: {component}}}}}}}", scoring.gateway.runtime.known_models())
    assert message in str(refused.value.faults)
