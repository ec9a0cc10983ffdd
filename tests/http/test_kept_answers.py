"""A request that comes again byte for byte gets its answer again, and nobody can tell but by the time that it takes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from reward_gateway.telemetry.telemetry import Telemetry

from tests.contract import HttpContract

from .conftest import KNOWN, Letters

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  plain:
    components: {quality: {score: letters}}
  mixed:
    components:
      quality: {score: letters, transforms: [{affine: {scale: 0.5, shift: 1.0}}]}
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}}
    guards: [empty_response]
    combine: {weighted_sum: {over: [quality, brevity]}}
  grouped:
    components: {quality: {score: letters}}
    group: {normalize: zscore}
  rule:
    components: {brevity: {score: length_penalty}}
  stateful:
    components: {quality: {score: letters, transforms: [{running_scale: {stream: s}}]}}
  calibrated:
    components: {quality: {score: letters, transforms: [{calibrate: {name: letters}}]}}
  math:
    components:
      quality: {score: letters}
      correct: {score: math_equivalence}
    combine: {weighted_sum: {over: [quality, correct]}}
default: plain
"""
TRIED = """
experiments: {other: {model: letters, candidate: pairs, fraction: 1.0}}
"""
KEYS = """
keys:
  - {name: alice, key: alice-secret, rights: [score]}
  - {name: bob, key: bob-secret, rights: [score]}
"""
SAMPLES = [{"prompt": "p", "response": "abc"}, {"prompt": "p", "response": "abcde"}]


class Versioned(Letters):
    """Letters whose version can change."""

    version = "1"

    async def info(self, name: str) -> ModelInfo:
        return replace(await super().info(name), version=self.version)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        answer = await super().score(name, batch, rows, deadline)
        return replace(answer, version=self.version, values=answer.values + 10 * (self.version != "1"))


class Repeating:
    """An application, how often its gateway was asked to score, and its metrics."""

    client: httpx.AsyncClient

    def __init__(self, recipes: str = RECIPES, **settings: Any) -> None:
        self.models, self.telemetry = Versioned(), Telemetry()
        metrics = self.telemetry.metrics
        cache = MemoryCache(1000, 60, observer=metrics)
        runtime = EffectsRuntime(CachedScorer(self.models, cache), StateStore.in_process(), known_models=KNOWN)
        self.gateway = Gateway(load_book(recipes, KNOWN), runtime, metrics)
        metrics.rewards.register(self.gateway.book.plans)
        self.app = create_app(self.gateway, Settings(**settings), self.telemetry)
        self.scored = 0
        score = self.gateway.score

        async def counted(*arguments: Any) -> Any:
            self.scored += 1
            return await score(*arguments)

        self.gateway.score = counted  # type: ignore[assignment, method-assign]

    async def post(self, reward: str = "plain", path: str = "/v1/score", **arguments: Any) -> httpx.Response:
        body = {"reward": reward, "samples": SAMPLES, **arguments.pop("more", {})}
        answer: httpx.Response = await self.client.post(path, json=body, **arguments)
        return answer

    async def count_scored(self, *posts: dict[str, Any]) -> int:
        """How often samples are scored for requests of which each may have come before."""
        before = self.scored
        for post in posts:
            answer = await self.post(**post)
            assert answer.status_code == 200, answer.text
        return self.scored - before


@asynccontextmanager
async def repeating(recipes: str = RECIPES, **settings: Any) -> AsyncIterator[Repeating]:
    found = Repeating(recipes, **settings)
    async with HttpContract(found.app).client() as found.client:
        yield found
    await found.gateway.close()


@pytest.fixture
async def http() -> AsyncIterator[Repeating]:
    async with repeating() as found:
        yield found


def without_times(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert set(body.pop("timing_ms")) == {"total", "decode", "cache", "inference", "combine"}
    return {**body, "headers": {name for name in answer.headers if name != "content-length"}}


@pytest.mark.parametrize("reward", ["plain", "mixed", "grouped", "letters"])
async def test_the_third_request_is_not_scored_and_answered_as_the_second(http: Repeating, reward: str) -> None:
    answers = [await http.post(reward) for _ in range(4)]
    assert http.scored == 2
    first, second, *more = [without_times(answer) for answer in answers]
    assert more == [second, second]
    assert [result["reward"] for result in first["results"]] == [result["reward"] for result in second["results"]]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4


async def test_every_request_is_counted_and_monitored(http: Repeating) -> None:
    def read_counts(page: str) -> dict[str, float]:
        rows = [row.rsplit(" ", 1) for row in page.splitlines() if row.startswith("reward_gateway_")]
        timed = ("_seconds", "_created", "in_flight")
        return {name: float(value) for name, value in rows if not any(word in name for word in timed)}

    async with repeating(cache_memory_entries=0) as anew:
        pages = []
        for served in (anew, http):
            for _ in range(5):
                await served.post("mixed")
            pages.append(read_counts((await served.client.get("/metrics")).text))
        reports = [(await served.client.get("/v1/monitor")).json() for served in (anew, http)]
    assert (anew.scored, http.scored) == (5, 2)
    assert pages[0] == pages[1]
    assert reports[0] == reports[1]
    assert pages[0]['reward_gateway_samples_total{reward="mixed"}'] == 10


async def test_what_it_took_is_that_of_this_request(http: Repeating) -> None:
    for _ in range(3):
        answer = await http.post()
    times = answer.json()["timing_ms"]
    assert (times["decode"], times["inference"], times["combine"]) == (0, 0, 0)
    assert 0 < times["cache"] <= times["total"]
    assert answer.headers["server-timing"].startswith("total;dur=")


ANEW: dict[str, dict[str, Any]] = {
    "another order of the same": {"more": {"samples": SAMPLES[::-1]}},
    "another option": {"more": {"options": {"explain": False}}},
    "another recipe by the address": {"path": "/r/mixed/v1/score", "more": {"reward": None}},
    "a run": {"headers": {"x-run": "A"}},
    "a run by the address": {"path": "/run/A/v1/score"},
    "a format of chat": {"path": "/v1/score?chat_format=none"},
}


@pytest.mark.parametrize("other", ANEW)
async def test_a_request_that_differs_is_scored(http: Repeating, other: str) -> None:
    assert await http.count_scored({}, {}, {}) == 2
    assert await http.count_scored(ANEW[other]) == 1


@pytest.mark.parametrize(
    "post",
    [
        {"reward": "rule"},
        {"reward": "stateful"},
        {
            "reward": "math",
            "more": {"samples": [{"prompt": "p", "response": "$\\sin(2x)$", "reference": "$2\\sin x\\cos x$"}]},
        },
        {"more": {"options": {"cache": "off"}}},
        {"more": {"options": {"cache": "refresh"}}},
        {"more": {"samples": [*SAMPLES, {"prompt": "p"}]}},
        {"headers": {"idempotency-key": "k"}},
    ],
    ids=["rule", "state", "process", "off", "refresh", "failed", "key"],
)
async def test_what_does_not_follow_from_the_cache_is_scored_each_time(http: Repeating, post: dict[str, Any]) -> None:
    scored = await http.count_scored(post, post, post, post)
    assert scored == 4
    assert len(http.app.state.dependencies.answers) == 0


async def test_a_calibration_counts_in_the_next_answer(http: Repeating) -> None:
    rewards = []
    for scores in ((2.0, 4.0), (3.0, 5.0)):
        body = {"method": "moments", "points": [{"score": score} for score in scores]}
        assert (await http.client.put("/v1/calibrations/letters", json=body)).status_code == 200
        for _ in range(3):
            answer = await http.post(reward="calibrated")
        rewards.append(answer.json()["results"][0]["reward"])
    assert rewards == pytest.approx([0.0, -(0.5**0.5)], abs=1e-5)


async def test_a_request_with_a_key_is_recorded_though_its_answer_is_kept(http: Repeating) -> None:
    assert await http.count_scored({}, {}, {}) == 2
    key: dict[str, Any] = {"headers": {"idempotency-key": "k"}}
    assert await http.count_scored(key) == 1
    refused = await http.post(more={"samples": SAMPLES[::-1]}, **key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_conflict")


async def test_another_caller_gets_no_answer_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text(KEYS)
    async with repeating(api_keys_file=tmp_path / "keys.yaml") as http:
        alice, bob = ({"headers": {"x-api-key": f"{name}-secret"}} for name in ("alice", "bob"))
        assert await http.count_scored(alice, alice, alice) == 2
        assert await http.count_scored(bob, bob, bob) == 2
        assert (await http.post(headers={"x-api-key": "nobody"})).status_code == 401


async def test_another_version_of_the_model_answers_anew(http: Repeating) -> None:
    for _ in range(3):
        old = await http.post()
    http.models.version = "2"
    new = await http.post()
    assert [result["reward"] for result in old.json()["results"]] == [3, 5]
    assert [result["reward"] for result in new.json()["results"]] == [13, 15]


@pytest.mark.parametrize("away", ["away", "unloaded"])
async def test_a_model_that_is_gone_answers_nothing(http: Repeating, away: str) -> None:
    for _ in range(3):
        await http.post()
    if away == "away":
        http.models.away = True
    else:
        http.models.lost.add("letters")
    assert (await http.post()).status_code == 503


async def test_other_recipes_answer_anew(http: Repeating) -> None:
    for _ in range(3):
        await http.post()
    doubled = "quality: {score: letters, transforms: [{affine: {scale: 2.0}}]}}"
    http.gateway.book = load_book(RECIPES.replace("quality: {score: letters}}", doubled), KNOWN)
    assert [result["reward"] for result in (await http.post()).json()["results"]] == [6, 10]


async def test_samples_of_an_experiment_are_offered_to_its_candidate_each_time(http: Repeating) -> None:
    async with repeating(RECIPES + TRIED) as tried:
        assert await tried.count_scored({}, {}, {}, {}) == 4
    assert await http.count_scored({}, {}, {}) == 2
    http.gateway.book = load_book(RECIPES + TRIED, KNOWN)
    assert await http.count_scored({}) == 1


async def test_a_refreshed_score_is_answered_from_then_on(http: Repeating) -> None:
    await http.count_scored({}, {}, {})
    refresh = {"more": {"options": {"cache": "refresh"}}}
    assert await http.count_scored(refresh, {}) == 2


async def test_errors_are_not_kept(http: Repeating) -> None:
    body = json.dumps({"samples": "none"}).encode()
    answers = [await http.client.post("/v1/score", content=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422] * 3
    assert len(http.app.state.dependencies.answers) == 0


async def test_a_body_that_is_not_said_to_be_json_is_refused_each_time(http: Repeating) -> None:
    body = json.dumps({"reward": "plain", "samples": SAMPLES}).encode()
    for _ in range(3):
        await http.client.post("/v1/score", content=body, headers={"content-type": "application/json"})
    refused = await http.client.post("/v1/score", content=body, headers={"content-type": "text/plain"})
    assert refused.status_code == 415
