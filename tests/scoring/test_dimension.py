"""Of a model's several numbers, the one that the recipe names; never the first because none was named."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime

pytestmark = pytest.mark.anyio


class TwoNumbers:
    """A model that gives the progress and the success of each sample."""

    async def models(self) -> list[ModelInfo]:
        return [await self.info("robot")]

    async def info(self, name: str) -> ModelInfo:
        return ModelInfo(name, "1", True, ("response",), ("progress", "success"), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        return ModelAnswer(np.array([[0.25, 0.75]] * len(rows)), calls=1, version="1")

    async def close(self) -> None: ...


async def score(component: str) -> Any:
    # No models are known when the recipe is loaded, as when the model server is away at the start.
    book = load_book(f"rewards: {{r: {{components: {{a: {component}}}}}}}")
    gateway = Gateway(book, EffectsRuntime(CachedScorer(TwoNumbers(), NullCache())))
    return await gateway.score(Batch(["0"], ["prompt"], ["response"]), "r")


async def test_the_dimension_that_is_named_is_the_reward() -> None:
    assert (await score("{score: robot, dimension: success}")).reward.tolist() == [0.75]


@pytest.mark.parametrize(
    ("component", "says"),
    [
        ("{score: robot}", "gives 2 numbers; the recipe has to name one as the component's `dimension`: progress, suc"),
        ("{score: robot, dimension: speed}", "no dimension speed (it has: progress, success)"),
    ],
)
async def test_without_a_dimension_that_there_is_no_sample_has_a_reward(component: str, says: str) -> None:
    scored = await score(component)
    assert np.isnan(scored.reward).all()
    assert scored.invalid[0].code == "model_error"
    assert says in scored.invalid[0].message
