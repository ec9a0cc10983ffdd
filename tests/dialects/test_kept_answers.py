"""Answers that are kept for requests which come again are those that the dialect would give anew."""

import asyncio
import json
from typing import Any

import pytest
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.errors import ModelUnavailable
from reward_gateway.gateway import Gateway
from reward_gateway.http.call import begin
from reward_gateway.http.dialects.openrlhf import dialect
from reward_gateway.http.dialects.request import DialectRequest
from reward_gateway.intake.request import SampleItem
from starlette.requests import Request

from .test_recipe_in_the_path import CALLS, NAMED, call

pytestmark = pytest.mark.anyio

OF_EACH_REQUEST = {"id", "created", "duration", "e2e_latency", "reward_request_id", "execution_time", "timing_ms"}
"""What an answer may have of its own."""


def without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_own(part) for name, part in value.items() if name not in OF_EACH_REQUEST}
    return [without_own(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[path for _, path, _ in CALLS])
async def test_an_answer_that_is_kept_is_what_would_be_answered(
    speak: Any, method: str, path: str, body: dict[str, Any]
) -> None:
    answers = []
    for entries in (0, 20_000):
        async with speak(cache=MemoryCache(1000, 60), pickle=True, cache_memory_entries=entries) as http:
            for _ in range(3):
                answer = await call(http, method, f"/r/{NAMED}{path}", body)
            answers.append((answer.status_code, answer.headers["content-type"], answer.content))
    (status, kind, content), *others = answers
    if kind == "application/json":
        first, second = (without_own(json.loads(each[2])) for each in answers)
        assert second == first
    assert [each[:2] for each in others] == [(status, kind)]
    assert content


async def test_an_answer_that_tells_of_a_failed_part_is_not_kept(speak: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    score = Gateway.score

    async def score_all_but_chat(self: Gateway, batch: Any, reward: str, options: Any = None) -> Any:
        if reward == "chat":
            raise ModelUnavailable("the model server is away")
        return await score(self, batch, reward, options)

    async def score_parts(http: Any) -> DialectRequest:
        scope = {"type": "http", "app": http.app, "method": "POST", "path": "/", "query_string": b"", "headers": []}
        begin(scope, asyncio.get_running_loop().time())
        request = DialectRequest(Request(scope), dialect.policy, 0)
        parts = [([SampleItem(prompt="p", response="red")], reward) for reward in ("verbatim", "chat")]
        await request.score_parts(parts, lambda _: None)
        return request

    async with speak(cache=MemoryCache(1000, 60)) as http:
        await score_parts(http)
        fixed = (await score_parts(http)).fixed_scores
        assert {scores and scores.plan.name for scores in fixed} == {"verbatim", "chat"}
        monkeypatch.setattr(Gateway, "score", score_all_but_chat)
        assert not (await score_parts(http)).fixed_scores


@pytest.mark.parametrize("own", ["id", "started", "http_request", "gateway", "results", "sessions"])
async def test_an_answer_that_depends_on_more_than_body_and_scores_is_not_kept(speak: Any, own: str) -> None:
    async with speak(cache=MemoryCache(1000, 60)) as http:
        scope = {"type": "http", "app": http.app, "method": "POST", "path": "/", "query_string": b"", "headers": []}
        begin(scope, asyncio.get_running_loop().time())
        for _ in range(2):
            request = DialectRequest(Request(scope), dialect.policy, 0)
            await request.score([SampleItem(prompt="p", response="red")])
        assert request.fixed_scores
        getattr(request, own)
        assert not request.fixed_scores


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/get_reward", {"query": ["Is water wet? Yes."], "prompts": ["Is water wet?"], "labels": [None]}),
        ("/rm", {"prompt": "p", "response": "r"}),
        ("/rm?key=score", {"prompt": "p", "response": "r"}),
        ("/predict", {"inputs": ["p", "r"]}),
    ],
)
async def test_a_request_that_comes_again_is_not_scored(
    speak: Any, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    async with speak(cache=MemoryCache(1000, 60)) as http:
        answers = [await http.ok(f"/r/verbatim{path}", body) for _ in range(2)]
        monkeypatch.setattr(Gateway, "score", None)
        answers.append(await http.ok(f"/r/verbatim{path}", body))
    assert answers[1:] == answers[:1] * 2
