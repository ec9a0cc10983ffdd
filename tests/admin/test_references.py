"""Reference rewards of a model of several numbers: a recipe compares with those of the number that it uses."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

NUMBERS = {"robot": ("progress", "success"), "plain": ("score",)}
KNOWN = {name: KnownModel(("prompt", "response"), dimensions) for name, dimensions in NUMBERS.items()}
SHARE = "transforms: [{par: {reference_rewards: {references: stored}}}]"
RECIPES = f"""
rewards:
  progress: {{components: {{a: {{score: robot, dimension: progress, {SHARE}}}}}}}
  success: {{components: {{a: {{score: robot, dimension: success, {SHARE}}}}}}}
  plain_share: {{components: {{a: {{score: plain, {SHARE}}}}}}}
  named_share: {{components: {{a: {{score: plain, dimension: score, {SHARE}}}}}}}
  both:
    components:
      a: {{score: robot, dimension: progress}}
      b: {{score: robot, dimension: success}}
    combine: weighted_sum
model_aliases: {{solved: success}}
"""


class Numbers:
    """``robot`` gives the length of the response and ten times that, ``plain`` the length."""

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in NUMBERS]

    async def info(self, name: str) -> ModelInfo:
        if name not in NUMBERS:
            raise NotFound("no such model")
        return ModelInfo(name, "1", True, ("prompt", "response"), NUMBERS[name], 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        lengths = [float(len(str(batch.responses[i]))) for i in rows]
        values = [[n, 10.0 * n] for n in lengths] if name == "robot" else [[n] for n in lengths]
        return ModelAnswer(np.array(values), calls=1, version="1")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    scorer = CachedScorer(Numbers(), NullCache())
    runtime = EffectsRuntime(scorer, StateStore.in_process(), known_models=KNOWN)
    async with HttpContract(create_app(Gateway(load_book(RECIPES, KNOWN), runtime), Settings())).client() as client:
        yield client


async def put(http: httpx.AsyncClient, name: str, **body: Any) -> httpx.Response:
    return await http.put(f"/v1/references/{name}", json=body)


async def score(http: httpx.AsyncClient, reward: str, response: str = "abc") -> float | None:
    body = {"reward": reward, "samples": [{"prompt": "p", "response": response}]}
    answer = await http.post("/v1/score", json=body)
    assert answer.status_code == 200, answer.text
    found: float | None = answer.json()["results"][0]["reward"]
    return found


def share(value: float, *references: float) -> float:
    """The mean probability to be better than the references, as ``par`` gives it."""
    return float(np.mean([1.0 / (1.0 + np.exp(reference - value)) for reference in references]))


async def test_answers_of_a_recipe_are_stored_of_the_number_that_it_uses(http: httpx.AsyncClient) -> None:
    answers = [{"prompt": "p", "response": "ab"}, {"prompt": "p", "response": "abcd"}]
    for name in ("progress", "solved"):
        assert (await put(http, name, samples=answers)).status_code == 200
    assert await score(http, "progress") == pytest.approx(share(3.0, 2.0, 4.0))
    assert await score(http, "success") == pytest.approx(share(30.0, 20.0, 40.0))


async def test_rewards_are_given_for_one_number_by_its_name(http: httpx.AsyncClient) -> None:
    given = [{"prompt": "p", "rewards": [29.0, 31.5]}]
    stored = (await put(http, "robot:success", references=given)).json()["stored"]
    assert stored == {"robot:success": {"version": "1", "groups": 1, "rewards": 2}}
    assert await score(http, "success") == pytest.approx(share(30.0, 29.0, 31.5))
    assert await score(http, "progress") is None, "none were stored of the progress"
    for name in ("robot", "both"):
        refused = await put(http, name, references=given)
        assert refused.status_code == 422
        assert "MODEL:LABEL" in refused.json()["error"]["message"]
    assert (await put(http, "robot:speed", references=given)).status_code == 404


@pytest.mark.parametrize("name", ["robot", "both"])
async def test_answers_of_a_model_are_stored_of_all_its_numbers(http: httpx.AsyncClient, name: str) -> None:
    stored = (await put(http, name, samples=[{"prompt": "p", "response": "ab"}])).json()["stored"]
    assert list(stored) == ["robot:progress", "robot:success"]
    assert await score(http, "progress") == pytest.approx(share(3.0, 2.0))
    assert await score(http, "success") == pytest.approx(share(30.0, 20.0))


@pytest.mark.parametrize("name", ["plain", "plain_share", "named_share"])
async def test_the_only_number_of_a_model_needs_no_name(http: httpx.AsyncClient, name: str) -> None:
    stored = (await put(http, name, references=[{"prompt": "p", "rewards": [2.5]}])).json()["stored"]
    assert list(stored) == ["plain"]
    assert await score(http, "plain_share") == await score(http, "named_share") == pytest.approx(share(3.0, 2.5))
