"""Calibrations from their upload to the scores that they change, through HTTP; in this process and in a Valkey."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from reward_gateway.backends.workers.pool import WorkerPool
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract
from tests.http.conftest import KNOWN, Letters
from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  likely:
    components: {a: {score: letters, transforms: [{calibrate: {name: letters}}]}}
  fair:
    components:
      length: {score: response_length, inputs: {length: {feature: tokens}}}
      a: {score: letters, transforms: [{length_debias: {name: by-length, length: {component: length}}}]}
    combine: {weighted_sum: {weights: {a: 1.0}}}
"""
KEYS = """
keys:
  - {name: alice, key: alice-secret, rights: [score, state]}
  - {name: bob, key: bob-secret, rights: [score, state]}
  - {name: reader, tenant: alice, key: reader-secret, rights: [score]}
  - {name: root, key: root-secret, rights: [admin]}
"""
FOUR = [{"score": float(i), "label": int(i > 1)} for i in range(4)]
PLATT = {"method": "platt", "points": FOUR}
LINE = {"method": "length", "points": [{"score": n / 100, "length": n} for n in range(100, 700, 100)]}


@pytest.fixture(params=["in_process", "redis"])
async def state(request: pytest.FixtureRequest) -> AsyncIterator[StateStore]:
    if request.param == "in_process":
        yield StateStore.in_process()
        return
    valkey: Valkey = request.getfixturevalue("valkey_process")
    async with Redis.from_url(valkey.url, socket_timeout=60.0) as client:
        await client.flushdb()
    store = StateStore.connect(valkey.url, timeout_s=60.0)
    yield store
    await store.close()


def make_app(state: StateStore, **settings: Any) -> Any:
    runtime = EffectsRuntime(CachedScorer(Letters(), NullCache()), state, known_models=KNOWN)
    return create_app(Gateway(load_book(RECIPES, KNOWN), runtime), Settings(**settings))


@pytest.fixture
async def http(state: StateStore) -> AsyncIterator[httpx.AsyncClient]:
    async with HttpContract(make_app(state)).client() as client:
        yield client


@pytest.fixture
async def alone() -> AsyncIterator[httpx.AsyncClient]:
    """The same in this process alone."""
    async with HttpContract(make_app(StateStore.in_process())).client() as client:
        yield client


async def score(http: httpx.AsyncClient, reward: str, response: str, **features: float) -> dict[str, Any]:
    body = {"reward": reward, "samples": [{"prompt": "p", "response": response, "features": features}]}
    answer = await http.post("/v1/score", json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["results"][0]
    return result


async def test_a_calibration_is_put_shown_listed_used_and_deleted(http: httpx.AsyncClient) -> None:
    put = await http.put("/v1/calibrations/letters", json=PLATT)
    assert put.status_code == 200, put.text
    told = put.json()
    assert told["parameters"] == pytest.approx({"a": 0.9081843, "b": -1.3622764}, abs=1e-6)
    assert (told["name"], told["method"], told["on"], told["n"], told["curve"]) == (
        "letters",
        "platt",
        "score",
        4,
        None,
    )
    assert set(told["quality"]) == {"before", "after"}
    assert (await http.get("/v1/calibrations/letters")).json() == told
    listed = (await http.get("/v1/calibrations")).json()
    assert listed == {"calibrations": [{"name": "letters", "version": told["version"]}]}
    assert (await score(http, "likely", "abc"))["reward"] == pytest.approx(0.7961294, abs=1e-6)
    items = {"items": [{"reward": 3.0}], "params": {"name": "letters"}}
    applied = (await http.post("/v1/transform/calibrate", json=items)).json()
    assert applied["results"][0]["reward"] == pytest.approx(0.7961294, abs=1e-6)

    assert (await http.delete("/v1/calibrations/letters")).json() == {"reset": True}
    assert (await http.get("/v1/calibrations")).json() == {"calibrations": []}
    for gone in (await http.get("/v1/calibrations/letters"), await http.delete("/v1/calibrations/letters")):
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")


async def test_before_one_is_put_samples_say_which_put_is_missing(http: httpx.AsyncClient) -> None:
    for reward, name, method in (("likely", "letters", "platt"), ("fair", "by-length", "length")):
        result = await score(http, reward, "abc", tokens=5)
        assert (result["valid"], result["reward"]) == (False, None)
        assert result["error"]["code"] == "operation_error"
        assert f'PUT /v1/calibrations/{name} {{"method": "{method}", "points": […]}}' in result["error"]["message"]


async def test_another_upload_takes_the_place_of_the_first_in_the_next_answer(http: httpx.AsyncClient) -> None:
    first = (await http.put("/v1/calibrations/letters", json=PLATT)).json()
    before = await score(http, "likely", "abc")
    second = (await http.put("/v1/calibrations/letters", json={"method": "isotonic", "points": FOUR})).json()
    assert second["version"] > first["version"]
    assert second["curve"] == {"x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 0.0, 1.0, 1.0]}
    assert [before["reward"] < 1.0, (await score(http, "likely", "abc"))["reward"]] == [True, 1.0]


async def test_what_the_length_explains_is_taken_out_of_the_score(http: httpx.AsyncClient) -> None:
    assert (await http.put("/v1/calibrations/by-length", json=LINE)).json()["parameters"] == {"fraction": 2 / 3}
    assert (await score(http, "fair", "abc", tokens=250))["reward"] == pytest.approx(0.5)
    assert (await score(http, "fair", "abcdefgh", tokens=9000))["reward"] == pytest.approx(2.0), "flat beyond 600"


async def test_it_is_kept_moved_and_reset_as_named_state(http: httpx.AsyncClient) -> None:
    await http.put("/v1/calibrations/letters", json=PLATT)
    (row,) = (await http.get("/v1/state")).json()["state"]
    assert (row["kind"], row["name"], row["owner"]) == ("sets", "calibrations/letters", "tenant")
    exported = (await http.get("/v1/state/sets/calibrations/letters")).json()
    await http.delete("/v1/state/sets/calibrations/letters")
    assert (await http.get("/v1/calibrations/letters")).status_code == 404
    await http.put("/v1/state/sets/calibrations/letters", json=exported)
    assert (await score(http, "likely", "abc"))["reward"] == pytest.approx(0.7961294, abs=1e-6)
    await http.put("/v1/state/sets/calibrations/letters", json={"value": {"method": "other"}})
    refused = await http.get("/v1/calibrations/letters")
    assert (refused.status_code, "store it again" in refused.text) == (422, True)


async def test_an_upload_that_is_repeated_with_its_key_counts_once(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "upload"}
    answers = [(await http.put("/v1/calibrations/letters", json=PLATT, headers=key)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    changed = await http.put("/v1/calibrations/letters", json=LINE, headers=key)
    assert (changed.status_code, changed.json()["error"]["code"]) == (409, "idempotency_conflict")


async def test_pairs_are_fitted_on_their_margin_and_platt_is_the_method_that_is_meant(alone: httpx.AsyncClient) -> None:
    told = (await alone.put("/v1/calibrations/letters", json={"pairs": pairs(2.0, 1.0, -0.5)})).json()
    assert (told["method"], told["on"], told["n"], told["parameters"]["b"]) == ("platt", "margin", 3, 0.0)
    items = {"items": [{"reward": 0.0}, {"reward": 1.5}, {"reward": -1.5}], "params": {"name": "letters"}}
    even, more, less = (await alone.post("/v1/transform/calibrate", json=items)).json()["results"]
    assert even["reward"] == 0.5
    assert more["reward"] == pytest.approx(1 - less["reward"])
    assert more["reward"] > 0.5


def pairs(*margins: float) -> list[dict[str, float]]:
    return [{"chosen": margin, "rejected": 0.0} for margin in margins]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"method": "platt", "points": [*FOUR, {"score": 1.0}]}, "points[4].label"),
        ({"method": "platt", "points": [*FOUR, {"score": 1.0, "label": 2}]}, "points[4].label"),
        ({"method": "platt", "points": [*FOUR, {"score": 1.0, "label": "yes"}]}, "points[4].label"),
        ({"method": "platt", "points": [*FOUR, {"label": 1}]}, "points[4].score"),
        ({"method": "platt", "points": [*FOUR, {"score": 1e200, "label": 1}]}, "points[4].score"),
        ({"method": "platt", "points": [*FOUR, {"score": 1, "label": 1, "length": 3}]}, "points[4].length"),
        ({"method": "moments", "points": [{"score": 1}, {"score": 2, "label": 1}]}, "points[1].label"),
        ({"method": "length", "points": [{"score": 1, "length": 1}, {"score": 2}]}, "points[1].length"),
        ({"method": "length", "points": [{"score": 1, "length": 1}, {"score": 2, "length": -1}]}, "points[1].length"),
        ({"method": "platt", "points": [{"score": 1, "label": 1}]}, "points"),
        ({"method": "platt", "points": []}, "points"),
        ({"method": "platt", "points": [{"score": 1, "label": 1}, {"score": 2, "label": True}]}, "points"),
        ({"method": "isotonic", "points": [{"score": 1, "label": 1}, {"score": 1, "label": 0}]}, "points"),
        ({"method": "temperature", "pairs": pairs(1.0, 2.0)}, "pairs"),
        ({"method": "length", "pairs": pairs(1.0, 2.0)}, "pairs"),
        ({"method": "platt", "pairs": [*pairs(1.0), {"chosen": 1e101, "rejected": 0}]}, "pairs[1].chosen"),
        ({"method": "platt", "points": FOUR, "pairs": pairs(1.0, 2.0)}, "pairs"),
        ({"method": "platt", "points": FOUR, "fraction": 0.5}, "fraction"),
        ({**LINE, "fraction": 0}, "fraction"),
        ({"method": "spline", "points": FOUR}, "method"),
        ({"method": "platt", "pointz": FOUR}, "pointz"),
    ],
)
async def test_what_cannot_be_fitted_is_refused_with_its_place(
    alone: httpx.AsyncClient, body: dict[str, Any], param: str
) -> None:
    answer = await alone.put("/v1/calibrations/x", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param), answer.text
    assert (await alone.get("/v1/calibrations")).json() == {"calibrations": []}


async def test_too_many_points_and_a_name_that_is_none_are_refused(alone: httpx.AsyncClient) -> None:
    many = [{"score": i % 7, "label": i % 2} for i in range(100_001)]
    refused = await alone.put("/v1/calibrations/x", json={"method": "platt", "points": many})
    assert (refused.status_code, refused.json()["error"]["param"]) == (413, "points")
    assert (await alone.put("/v1/calibrations/x", json={"method": "platt", "points": many[:-1]})).status_code == 200
    for name in ("a b", "%2e%2e", "é", "x" * 129):
        assert (await alone.put(f"/v1/calibrations/{name}", json=PLATT)).status_code == 422


async def test_a_long_fit_is_done_in_another_process(monkeypatch: pytest.MonkeyPatch, alone: httpx.AsyncClient) -> None:
    done: list[int] = []
    run = WorkerPool.run

    async def noting(pool: WorkerPool, work: Any, *arguments: Any, body: bytes = b"", **more: Any) -> Any:
        done.append(len(body))
        return await run(pool, work, *arguments, body=body, **more)

    monkeypatch.setattr(WorkerPool, "run", noting)
    body = {"method": "length", "points": [{"score": i % 13, "length": i} for i in range(2000)]}
    assert (await alone.put("/v1/calibrations/x", json=body)).json()["n"] == 2000
    assert len(done) == 1
    assert (await alone.put("/v1/calibrations/y", json=PLATT)).status_code == 200
    assert len(done) == 1
    fault = {**body, "points": [*body["points"], {"score": 1}]}
    assert (await alone.put("/v1/calibrations/x", json=fault)).json()["error"]["param"] == "points[2000].length"


async def test_it_belongs_to_the_tenant_for_all_runs_and_needs_the_right(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text(KEYS)
    app = make_app(StateStore.in_process(), api_keys_file=tmp_path / "keys.yaml")
    async with HttpContract(app).client() as http:

        async def ask(key: str, method: str = "GET", **arguments: Any) -> int:
            headers = {"x-api-key": f"{key}-secret", "x-run": arguments.pop("run", "A")}
            path = "/v1/calibrations/letters"
            return (await http.request(method, path, headers=headers, **arguments)).status_code

        assert await ask("reader", "PUT", json=PLATT) == 403
        assert await ask("bob", "PUT", json=PLATT, params={"tenant": "alice"}) == 403
        assert await ask("root", "PUT", json=PLATT, params={"tenant": "alice"}) == 200
        assert [await ask("alice"), await ask("alice", run="B"), await ask("bob")] == [200, 200, 404]
        body = {"reward": "likely", "samples": [{"prompt": "p", "response": "abc"}]}
        answers = [
            await http.post("/v1/score", content=json.dumps(body), headers={"x-api-key": f"{key}-secret"})
            for key in ("reader", "bob")
        ]
        assert [answer.json()["results"][0]["valid"] for answer in answers] == [True, False]
