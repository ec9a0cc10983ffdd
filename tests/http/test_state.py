"""Named state has an address: it is listed, exported, imported and reset; references are stored by prompt."""

from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  relative:
    components:
      a: {score: length, transforms: [{log_sigmoid: {reference: {quantile: 0.5}}}]}
"""


class Lengths:
    """A model server with one model: the length of the response."""

    version = "1-x"
    failing = False

    async def models(self) -> list[ModelInfo]:
        return [await self.info("length")]

    async def info(self, name: str) -> ModelInfo:
        if name != "length":
            raise NotFound("no such model")
        return ModelInfo("length", self.version, True, ("prompt", "response"), ("length",), 64)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        if self.failing:  # the first one alone
            reason = {0: Invalid("model_error", "the model failed")}
            return ModelAnswer(np.full((len(rows), 1), 4.0), reason, calls=1, version=self.version)
        lengths = [[float(len(str(batch.responses[i])))] for i in rows]
        return ModelAnswer(np.array(lengths), calls=1, version=self.version)

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass


@pytest.fixture
def models() -> Lengths:
    return Lengths()


@pytest.fixture
async def http(models: Lengths) -> AsyncIterator[httpx.AsyncClient]:
    runtime = EffectsRuntime(CachedScorer(models, NullCache()), StateStore.in_process())
    app = create_app(Gateway(load_book(RECIPES), runtime), Settings())
    async with HttpContract(app).client() as client:
        yield client


async def score(http: httpx.AsyncClient, prompt: str, response: str) -> dict[str, object]:
    answer = await http.post("/v1/score", json={"samples": [{"prompt": prompt, "response": response}]})
    assert answer.status_code == 200, answer.text
    result: dict[str, object] = answer.json()["results"][0]
    return result


async def test_a_prompt_without_references_is_invalid_and_with_them_is_scored(http: httpx.AsyncClient) -> None:
    assert (await score(http, "p", "1234"))["valid"] is False
    stored = await http.put("/v1/references/length", json={"references": [{"prompt": "p", "rewards": [3.0, 4.0, 5.0]}]})
    assert stored.json()["stored"] == {"length": {"version": "1-x", "groups": 1, "rewards": 3}}
    assert (await score(http, "p", "1234"))["reward"] == pytest.approx(-0.6931471805599453)
    assert (await score(http, "another", "1234"))["valid"] is False


async def test_the_service_scores_reference_answers_itself(http: httpx.AsyncClient) -> None:
    samples = [{"prompt": "p", "response": "12"}, {"prompt": "p", "response": "123456"}]
    stored = await http.put("/v1/references/relative", json={"samples": samples})
    assert stored.json() == {"stored": {"length": {"version": "1-x", "groups": 1, "rewards": 2}}, "invalid": 0}
    assert (await score(http, "p", "1234"))["reward"] == pytest.approx(-0.6931471805599453)


async def test_another_version_of_the_model_starts_without_references(http: httpx.AsyncClient, models: Lengths) -> None:
    await http.put("/v1/references/length", json={"references": [{"prompt": "p", "rewards": [4.0]}]})
    models.version = "2-y"
    assert (await score(http, "p", "1234"))["valid"] is False


async def test_state_is_listed_exported_imported_and_reset(http: httpx.AsyncClient) -> None:
    await http.put("/v1/references/length", json={"references": [{"group": "g", "rewards": [1.0]}]})
    (listed,) = (await http.get("/v1/state")).json()["state"]
    assert (listed["kind"], listed["name"]) == ("references", "length@1-x")
    exported = (await http.get("/v1/state/references/length@1-x")).json()
    assert (await http.delete("/v1/state/references/length@1-x")).status_code == 200
    assert (await http.get("/v1/state/references/length@1-x")).status_code == 404
    assert (await http.put("/v1/state/references/length@1-x", json=exported)).json()["value"] == exported["value"]


async def test_what_names_no_prompt_or_two_is_refused_with_its_place(http: httpx.AsyncClient) -> None:
    answer = await http.put("/v1/references/length", json={"references": [{"rewards": [1.0]}]})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "references[0]"
    assert (await http.put("/v1/references/nobody", json={"references": []})).status_code == 404


async def test_references_that_are_sent_again_with_one_key_are_stored_once(http: httpx.AsyncClient) -> None:
    body = {"references": [{"group": "p", "rewards": [1.0, 2.0]}], "samples": [{"prompt": "p", "response": "abc"}]}
    key = {"Idempotency-Key": "upload-1"}
    answers = [await http.put("/v1/references/length", json=body, headers=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.json() for answer in answers] == [answers[0].json()] * 3
    stored = (await http.get("/v1/state/references/length@1-x")).json()["value"]
    assert sorted(map(sorted, stored.values())) == [[1.0, 2.0], [3.0]]
    changed = await http.put("/v1/references/length", json={**body, "samples": []}, headers=key)
    assert (changed.status_code, changed.json()["error"]["code"]) == (409, "idempotency_conflict")
    await http.put("/v1/references/length", json=body)
    stored = (await http.get("/v1/state/references/length@1-x")).json()["value"]
    assert sorted(map(sorted, stored.values())) == [[1.0, 1.0, 2.0, 2.0], [3.0, 3.0]]


async def test_references_are_stored_whole_or_not_at_all(http: httpx.AsyncClient, models: Lengths) -> None:
    models.failing = True
    body = {"samples": [{"prompt": "p", "response": "abc"}, {"prompt": "p", "response": "abcd"}]}
    refused = await http.put("/v1/references/length", json=body, headers={"Idempotency-Key": "upload-2"})
    assert refused.status_code == 503
    assert (await http.get("/v1/state")).json() == {"state": []}
    models.failing = False
    stored = await http.put("/v1/references/length", json=body, headers={"Idempotency-Key": "upload-2"})
    assert stored.json()["stored"]["length"]["rewards"] == 2
