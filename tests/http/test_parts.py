"""A request that is scored in several parts changes state once all of them can be answered, or not at all."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  first:
    components: {a: {score: prompts, transforms: [{running_scale: {stream: run}}]}}
  second:
    components: {a: {score: more, transforms: [{running_scale: {stream: run}}]}}
  third:
    components: {a: {score: more, transforms: [{running_scale: {stream: other}}]}}
  read:
    components: {a: {score: texts}}
default: first
"""
AWAY = Invalid("model_unavailable", "the model is away")


class Lengths:
    """Models that give the length of the prompt; one of them may be away."""

    def __init__(self) -> None:
        self.away: set[str] = set()

    async def models(self) -> list[ModelInfo]:
        return [await self.info(name) for name in ("prompts", "more", "texts")]

    async def info(self, name: str) -> ModelInfo:
        reads = ("prompt", "response") if name == "texts" else ("prompt",)
        return ModelInfo(name, "1", True, reads, ("length",), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        values = np.array([[float(len(str(batch.prompts[i])))] for i in rows])
        invalid = dict.fromkeys(range(len(rows)), AWAY) if name in self.away else {}
        return ModelAnswer(values, invalid, calls=1, version="1")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


@pytest.fixture
def models() -> Lengths:
    return Lengths()


@pytest.fixture
async def runtime(models: Lengths) -> AsyncIterator[EffectsRuntime]:
    runtime = EffectsRuntime(CachedScorer(models, NullCache()), StateStore.in_process())
    await runtime.refresh_models()
    yield runtime
    await runtime.close()


@pytest.fixture
async def http(runtime: EffectsRuntime) -> AsyncIterator[httpx.AsyncClient]:
    book = load_book(RECIPES, runtime.known_models())
    app = create_app(Gateway(book, runtime), Settings(dialect_failures={"unirl": "error"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


def graders(formula: str, *recipes: str) -> dict[str, Any]:
    parts = {
        f"g{k}": {"type": "score_model", "model": name, "input": [{"role": "user", "content": "abc"}]}
        for k, name in enumerate(recipes)
    }
    return {"grader": {"type": "multi", "graders": parts, "calculate_output": formula}, "model_sample": "x"}


def unirl(*recipes: str) -> dict[str, Any]:
    return {"requests": [{"history": [{"text": "abc"}], "required_rewards": list(recipes)}]}


async def counts(runtime: EffectsRuntime) -> list[float]:
    return [(await runtime.state.moments.read(stream))[0] for stream in ("run", "other")]


GRADERS, UNIRL = "/fine_tuning/alpha/graders/run", "/unirl/score"
KEYS: list[dict[str, str]] = [{}, {"Idempotency-Key": "k"}]


@pytest.mark.parametrize("headers", KEYS, ids=["no key", "key"])
@pytest.mark.parametrize(
    ("path", "body"),
    [(GRADERS, graders("g0 + g1 + g2", "first", "second", "third")), (UNIRL, unirl("first", "second", "third"))],
    ids=["graders", "unirl"],
)
async def test_a_part_that_fails_leaves_no_trace_of_the_others(
    http: httpx.AsyncClient,
    runtime: EffectsRuntime,
    models: Lengths,
    path: str,
    body: dict[str, Any],
    headers: dict[str, str],
) -> None:
    models.away = {"more"} if path == GRADERS else {"more", "prompts"}
    refused = await http.post(path, json=body, headers=headers)
    assert refused.status_code == 503, refused.text
    assert await counts(runtime) == [0, 0]
    models.away = set()
    answers = [await http.post(path, json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert await counts(runtime) == ([2, 1] if headers else [4, 2])


@pytest.mark.parametrize("headers", KEYS, ids=["no key", "key"])
async def test_a_part_that_the_caller_got_wrong_leaves_no_trace_of_the_others(
    http: httpx.AsyncClient, runtime: EffectsRuntime, headers: dict[str, str]
) -> None:
    refused = await http.post(UNIRL, json=unirl("first", "third", "read"), headers=headers)
    assert refused.status_code == 400, refused.text
    assert await counts(runtime) == [0, 0]


@pytest.mark.parametrize("headers", KEYS, ids=["no key", "key"])
async def test_a_formula_without_a_value_leaves_no_trace(
    http: httpx.AsyncClient, runtime: EffectsRuntime, headers: dict[str, str]
) -> None:
    refused = await http.post(GRADERS, json=graders("g0 / (g1 - g1)", "first", "third"), headers=headers)
    assert refused.status_code >= 400, refused.text
    assert await counts(runtime) == [0, 0]


async def test_the_parts_that_can_be_scored_are_answered_and_count_where_the_dialect_says_so(
    http: httpx.AsyncClient, runtime: EffectsRuntime, models: Lengths
) -> None:
    models.away = {"prompts"}
    key = {"Idempotency-Key": "k"}
    for missing, expected in ((["first"], [0, 1]), ([], [1, 1]), ([], [1, 1])):
        answer = await http.post(UNIRL, json=unirl("first", "third"), headers=key)
        assert answer.status_code == 200, answer.text
        assert list(answer.json()["errors"][0]) == missing
        assert await counts(runtime) == expected
        models.away = set()
