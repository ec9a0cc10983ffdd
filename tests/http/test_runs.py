"""Runs and tenants over HTTP: how a request names its run, and that nothing of one is seen in another."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.http.dialects.dialect import DIALECTS
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.clock import LONGEST_WAIT_S
from tests.contract import HttpContract

from .conftest import KNOWN, Letters

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  plain:
    components: {quality: {score: letters}}
  compared:
    components: {mine: {score: given, inputs: {value: {feature: mine}}}}
    group: {normalize: mean, cohort: {size: 4, timeout_s: 20}}
  normalised:
    components: {mine: {score: given, inputs: {value: {feature: mine}}, transforms: [{running_normalise: {stream: s}}]}}
  shared:
    components:
      mine: {score: given, inputs: {value: {feature: mine}}, transforms: [{running_normalise: {stream: tenant/s}}]}
default: plain
"""
KEYS = """
keys:
  - {name: alice, key: alice-secret, rights: [score, state]}
  - {name: alice-new, tenant: alice, key: alice-new-secret, rights: [score, state]}
  - {name: bob, key: bob-secret, rights: [score, state]}
  - {name: root, key: root-secret, rights: [admin]}
"""


def make_app(models: Letters, **settings: Any) -> Any:
    runtime = EffectsRuntime(CachedScorer(models, MemoryCache(1000, 60)), StateStore.in_process(), known_models=KNOWN)
    return create_app(Gateway(load_book(RECIPES, KNOWN), runtime), Settings(**settings))


@pytest.fixture
def models() -> Letters:
    return Letters()


@pytest.fixture
async def http(models: Letters) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway without keys."""
    async with HttpContract(make_app(models)).client() as client:
        yield client


@pytest.fixture
async def keyed(models: Letters, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway with the keys."""
    (tmp_path / "keys.yaml").write_text(KEYS)
    async with HttpContract(make_app(models, api_keys_file=tmp_path / "keys.yaml")).client() as client:
        yield client


def by(key: str, run: str = "") -> dict[str, str]:
    return {"x-api-key": f"{key}-secret", **({"x-run": run} if run else {})}


async def score(
    client: httpx.AsyncClient, reward: str, mine: float, path: str = "", **arguments: Any
) -> dict[str, Any]:
    sample = {"prompt": "p", "response": "abc", "features": {"mine": mine}}
    answer = await client.post(f"{path}/v1/score", json={"reward": reward, "samples": [sample]}, **arguments)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["results"][0]
    return result


async def count(client: httpx.AsyncClient, stream: str = "s", **arguments: Any) -> float:
    """How many numbers a stream has seen."""
    answer = await client.get(f"/v1/state/moments/{stream}", **arguments)
    return float(answer.json()["value"]["count"]) if answer.status_code == 200 else 0.0


async def test_a_run_all_right_and_a_run_all_wrong_learn_nothing_from_each_other(http: httpx.AsyncClient) -> None:
    asks = [
        score(http, "compared", mine, headers={"x-run": run}) for _ in range(4) for run, mine in (("A", 1), ("B", 0))
    ]
    answers = await asyncio.wait_for(asyncio.gather(*asks), LONGEST_WAIT_S)
    assert [answer["reward"] for answer in answers] == [0.0] * 8


async def test_more_samples_than_the_gateway_works_on_at_once_still_meet(models: Letters) -> None:
    """One post each, in the order of no group: those that wait must not keep out those they wait for."""
    async with HttpContract(make_app(models, max_in_flight=1)).client() as client:
        sent = [float(place) for place in range(8)]
        answers = await asyncio.gather(*(score(client, "compared", mine) for mine in sent))
    assert sum(answer["reward"] for answer in answers) == pytest.approx(0.0)
    assert not any(answer["flags"] for answer in answers)


async def test_one_run_is_named_in_three_ways(http: httpx.AsyncClient) -> None:
    await score(http, "normalised", 1.0, headers={"x-run": "A"})
    await score(http, "normalised", 1.0, params={"run": "A"})
    await score(http, "normalised", 1.0, "/run/A")
    await score(http, "normalised", 1.0, "/run/A", headers={"x-run": "A"}, params={"run": "A"})
    await score(http, "normalised", 1.0, "/run/B")
    await score(http, "normalised", 1.0)
    counts = [await count(http, headers={"x-run": "A"}), await count(http, params={"run": "B"}), await count(http)]
    assert counts == [4, 1, 1]


@pytest.mark.parametrize(
    ("path", "headers", "params"),
    [
        ("/run/A", {"x-run": "B"}, {}),
        ("/run/A", {}, {"run": "B"}),
        ("", {"x-run": "A"}, {"run": "B"}),
        ("", {}, {"run": ["A", "B"]}),
        ("", [("x-run", "A"), ("x-run", "B")], {}),
    ],
)
async def test_two_names_for_one_request_are_refused(
    http: httpx.AsyncClient, path: str, headers: Any, params: Any
) -> None:
    answer = await http.post(f"{path}/v1/score", json={"samples": []}, headers=headers, params=params)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "contradictory_run"


@pytest.mark.parametrize("name", ["", " ", "x" * 129, "a b", "a/b", "a\u00e9", "a,b"])
async def test_a_name_that_is_none_is_refused(http: httpx.AsyncClient, name: str) -> None:
    answers = [await http.post("/v1/score", json={"samples": []}, params={"run": name})]
    if name and "/" not in name:
        answers.append(await http.post(f"/run/{name}/v1/score", json={"samples": []}))
        answers.append(await http.post("/v1/score", json={"samples": []}, headers=[(b"x-run", name.encode())]))
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "X-Run"), answer.text


@pytest.mark.parametrize("name", ["x" * 128, "A.b_c:d-9"])
async def test_the_longest_name_and_every_character_pass(http: httpx.AsyncClient, name: str) -> None:
    await score(http, "normalised", 1.0, f"/run/{name}")
    assert await count(http, headers={"x-run": name}) == 1


async def test_the_address_of_a_run_serves_everything(http: httpx.AsyncClient) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/v1/rewards", "/v2/health/live", "/openapi.json"):
        assert (await http.get(f"/run/A{path}")).status_code == 200
    assert (await http.get("/run/A/nothing")).status_code == 404
    assert (await http.get("/run/A/run/A/livez")).status_code == 404


async def test_every_dialect_is_served_below_the_address_of_a_run(http: httpx.AsyncClient) -> None:
    paths = sorted({path for dialect in DIALECTS.values() for path in dialect.paths if "{" not in path})
    assert len(paths) > 20
    for path in paths:
        plain, below = await http.post(path, json={}), await http.post(f"/run/A{path}", json={})
        assert plain.status_code == below.status_code, path
        assert plain.headers.get("content-type") == below.headers.get("content-type")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/score", {"model": "plain", "text_1": "p", "text_2": "abc"}),
        ("/v1/rerank", {"model": "plain", "query": "p", "documents": ["abc"]}),
        ("/get_reward", {"query": ["p abc"], "prompts": ["p"], "labels": [""]}),
        ("/rm", {"prompt": "p", "response": "abc", "label": ""}),
        ("/v2/models/plain/infer", None),
    ],
)
async def test_the_run_in_a_trainers_address_reaches_the_dataplane(
    http: httpx.AsyncClient, path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    original = Gateway.score

    async def scored(self: Gateway, batch: Any, reward: str, options: Any = None) -> Any:
        seen.append(options.scope.run)
        return await original(self, batch, reward, options)

    monkeypatch.setattr(Gateway, "score", scored)
    text = {"shape": [1, 1], "datatype": "BYTES"}
    body = body or {
        "inputs": [{"name": "prompt", "data": ["p"], **text}, {"name": "response", "data": ["abc"], **text}]
    }
    answer = await http.post(f"/run/A{path}", content=json.dumps(body), headers={"content-type": "application/json"})
    assert (answer.status_code, seen) == (200, ["A"]), answer.text


async def test_a_key_changes_no_stream_of_another_caller(keyed: httpx.AsyncClient) -> None:
    for key, times in (("alice", 1), ("bob", 2)):
        for _ in range(times):
            await score(keyed, "normalised", 5.0, headers=by(key))
    apply = {"items": [{"reward": 1.0}], "params": {"stream": "s"}}
    answer = await keyed.post("/v1/transform/running_normalise", json=apply, headers=by("bob"))
    assert answer.status_code == 200
    assert [await count(keyed, headers=by(key)) for key in ("alice", "bob")] == [1, 3]


async def test_a_new_key_of_the_tenant_goes_on_with_its_state_and_scores(keyed: httpx.AsyncClient) -> None:
    await score(keyed, "normalised", 5.0, headers=by("alice", "A"))
    await score(keyed, "normalised", 5.0, headers=by("alice-new", "A"))
    assert await count(keyed, headers=by("alice-new", "A")) == 2
    await score(keyed, "plain", 0.0, headers=by("alice"))
    again = await score(keyed, "plain", 0.0, headers=by("alice-new"))
    assert again["components"]["quality"]["cached"] is True


async def test_runs_share_a_stream_that_is_named_as_the_tenants(keyed: httpx.AsyncClient) -> None:
    for key, run in (("alice", "A"), ("alice", "B"), ("bob", "A")):
        await score(keyed, "shared", 5.0, headers=by(key, run))
    counts = [await count(keyed, "tenant/s", headers=by(*who)) for who in (("alice", "A"), ("alice", ""), ("bob", "B"))]
    assert counts == [2, 2, 1]


async def test_cached_tells_a_tenant_nothing_of_another(keyed: httpx.AsyncClient, models: Letters) -> None:
    async def is_cached(key: str, run: str = "") -> bool:
        cached: bool = (await score(keyed, "plain", 0.0, headers=by(key, run)))["components"]["quality"]["cached"]
        return cached

    assert [await is_cached("alice"), await is_cached("alice", "A"), await is_cached("bob")] == [False, True, False]
    assert len(models.seen) == 2


async def test_samples_in_flight_are_not_shared_by_tenants(keyed: httpx.AsyncClient, models: Letters) -> None:
    models.gate.shut()
    asks = [asyncio.create_task(score(keyed, "plain", 0.0, headers=by(key))) for key in ("alice", "alice-new", "bob")]
    while len(models.seen) < 2:
        await asyncio.sleep(0)
    models.gate.open()
    await asyncio.gather(*asks)
    assert len(models.seen) == 2  # one for both keys of the first tenant, one for the other


async def test_what_is_uploaded_is_read_by_every_run_of_its_tenant_alone(keyed: httpx.AsyncClient) -> None:
    put = await keyed.put("/v1/state/sets/centroids/c", json={"value": [1.0]}, headers=by("alice", "A"))
    assert put.json()["owner"] == "tenant"
    statuses = [
        (await keyed.get("/v1/state/sets/centroids/c", headers=by(*who))).status_code
        for who in (("alice", "B"), ("alice-new", ""), ("bob", "A"))
    ]
    assert statuses == [200, 200, 404]


async def test_only_an_admin_names_another_tenant(keyed: httpx.AsyncClient) -> None:
    await score(keyed, "normalised", 5.0, headers=by("alice", "A"))
    other = {"tenant": "alice", "run": "A"}
    refused = await keyed.get("/v1/state/moments/s", headers=by("bob"), params=other)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
    assert (await keyed.delete("/v1/state/moments/s", headers=by("bob"), params=other)).status_code == 403
    assert (await keyed.put("/v1/references/letters", json={}, headers=by("bob"), params=other)).status_code == 403
    assert await count(keyed, headers=by("alice"), params=other) == 1  # one's own name is no other
    assert await count(keyed, headers=by("root"), params=other) == 1
    assert (await keyed.get("/v1/state", headers=by("root"), params={"tenant": "a/b"})).status_code == 422
    assert (await keyed.delete("/v1/state/moments/s", headers=by("root"), params=other)).status_code == 200
    assert await count(keyed, headers=by("alice", "A")) == 0


async def test_references_of_a_tenant_are_uploaded_by_an_admin(keyed: httpx.AsyncClient) -> None:
    body = {"references": [{"prompt": "p", "rewards": [1.0]}]}
    put = await keyed.put("/v1/references/letters", json=body, headers=by("root"), params={"tenant": "bob"})
    assert put.status_code == 200, put.text
    listed = (await keyed.get("/v1/state", headers=by("bob"))).json()["state"]
    assert [(row["kind"], row["owner"]) for row in listed] == [("references", "tenant")]
    assert (await keyed.get("/v1/state", headers=by("root"))).json()["state"] == []


async def test_a_run_is_reset_as_a_whole_by_its_caller(keyed: httpx.AsyncClient) -> None:
    for who in (("alice", "A"), ("alice", "B"), ("bob", "A")):
        await score(keyed, "normalised", 5.0, headers=by(*who))
    answer = await keyed.delete("/v1/state", headers=by("alice", "A"))
    assert answer.json() == {"reset": [{"kind": "moments", "name": "s"}]}
    counts = [await count(keyed, headers=by(*who)) for who in (("alice", "A"), ("alice", "B"), ("bob", "A"))]
    assert counts == [0, 1, 1]
    assert (await keyed.delete("/v1/state", headers=by("alice"))).status_code == 422


async def test_a_caller_lists_the_runs_that_have_state(keyed: httpx.AsyncClient) -> None:
    for who in (("alice", "B"), ("alice", ""), ("alice-new", "A"), ("bob", "C")):
        await score(keyed, "normalised", 5.0, headers=by(*who))

    async def listed(key: str, **params: str) -> list[str]:
        answer = await keyed.get("/v1/state:runs", headers=by(key), params=params)
        assert answer.status_code == 200, answer.text
        assert all(row["kinds"] == ["moments"] for row in answer.json()["runs"])
        return [row["run"] for row in answer.json()["runs"]]

    assert await listed("alice") == await listed("root", tenant="alice") == ["", "A", "B"]
    assert (await listed("bob"), await listed("root")) == (["C"], [])
    refused = await keyed.get("/v1/state:runs", headers=by("bob"), params={"tenant": "alice"})
    assert refused.status_code == 403
    first = (await keyed.get("/v1/state:runs", headers=by("alice"), params={"limit": "2"})).json()
    assert ([row["run"] for row in first["runs"]], await listed("alice", cursor=first["cursor"])) == (["", "A"], ["B"])
    for params in ({"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"limit": "1" * 5000}, {"cursor": "5"}):
        answer = await keyed.get("/v1/state:runs", headers=by("alice"), params=params)
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, next(iter(params)))


async def test_only_an_admin_moves_the_state_of_an_earlier_version(keyed: httpx.AsyncClient) -> None:
    assert (await keyed.post("/v1/state:migrate", json={}, headers=by("alice"))).status_code == 403
    moved = await keyed.post("/v1/state:migrate", json={}, headers=by("root"), params={"tenant": "alice", "run": "A"})
    assert moved.json() == {"state": []}
