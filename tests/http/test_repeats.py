"""A repeat with its key, over every entry: the answer of the first, counted once; another body is refused."""

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
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  scaled:
    components: {a: {score: length, transforms: [{running_scale: {stream: run}}]}}
"""
SAMPLE = {"prompt": "p", "response": "abc"}
TENSORS = [
    {"name": "prompt", "shape": [1, 1], "datatype": "BYTES", "data": ["p"]},
    {"name": "response", "shape": [1, 1], "datatype": "BYTES", "data": ["abc"]},
]
KEY = {"Idempotency-Key": "k"}


class Lengths:
    """A model server with one model: the length of the response."""

    async def models(self) -> list[ModelInfo]:
        return [await self.info("length")]

    async def info(self, name: str) -> ModelInfo:
        return ModelInfo("length", "1", True, ("prompt", "response"), ("length",), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        return ModelAnswer(np.array([[float(len(str(batch.responses[i])))] for i in rows]), calls=1, version="1")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


@pytest.fixture
async def runtime() -> AsyncIterator[EffectsRuntime]:
    runtime = EffectsRuntime(CachedScorer(Lengths(), NullCache()), StateStore.in_process())
    yield runtime
    await runtime.close()


@pytest.fixture
async def http(runtime: EffectsRuntime) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Gateway(load_book(RECIPES), runtime), Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


REQUESTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("/v1/score", {"samples": [SAMPLE]}, {"samples": [{**SAMPLE, "response": "abcd"}]}),
    (
        "/v1/transform/running_scale",
        {"items": [{"reward": 1.0, "stream": "run"}]},
        {"items": [{"reward": 2.0, "stream": "run"}]},
    ),
    ("/get_reward", {"query": ["abc"], "prompts": ["p"]}, {"query": ["abcd"], "prompts": ["p"]}),
    ("/rm", {"prompt": "p", "response": "abc"}, {"prompt": "p", "response": "abcd"}),
    ("/v2/models/scaled/infer", {"inputs": TENSORS}, {"inputs": [TENSORS[0], {**TENSORS[1], "data": ["abcd"]}]}),
]


def without_times(answer: httpx.Response) -> Any:
    body = answer.json()
    if isinstance(body, dict):
        body.pop("timing_ms", None)
    return body


@pytest.mark.parametrize(("path", "body", "other"), REQUESTS, ids=[path for path, *_ in REQUESTS])
async def test_a_repeat_is_answered_like_the_first_and_counts_once(
    http: httpx.AsyncClient, runtime: EffectsRuntime, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    answers = [await http.post(path, json=body, headers=KEY) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3, answers[0].text
    assert [without_times(answer) for answer in answers] == [without_times(answers[0])] * 3
    assert (await runtime.state.moments.read("run"))[0] == 1
    refused = await http.post(path, json=other, headers=KEY)
    assert refused.status_code == 409, refused.text
    assert (await runtime.state.moments.read("run"))[0] == 1
    for headers in ({}, {}, {"Idempotency-Key": "another"}):
        assert (await http.post(path, json=body, headers=headers)).status_code == 200
    assert (await runtime.state.moments.read("run"))[0] == 4
