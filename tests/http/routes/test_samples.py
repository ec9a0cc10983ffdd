"""``/v1/samples``: what an operator sees of samples that were kept, and that nobody else does."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract import HttpContract

from .test_runs import by, make_app, score

pytestmark = pytest.mark.anyio

KEYS = """
keys:
  - {name: alice, key: alice-secret, rights: [score]}
  - {name: alice-ops, tenant: alice, key: alice-ops-secret, rights: [score, state]}
  - {name: quiet, key: quiet-secret, rights: [score], keep_samples: false}
  - {name: root, key: root-secret, rights: [admin]}
"""


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with HttpContract(make_app(keep_samples=1000)).client() as client:
        yield client


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "keys.yaml").write_text(KEYS)
    app = make_app(api_keys_file=tmp_path / "keys.yaml", keep_samples="on")
    async with HttpContract(app).client() as client:
        yield client


async def find(client: httpx.AsyncClient, headers: Any = None, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/samples", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    samples: list[dict[str, Any]] = answer.json()["samples"]
    return samples


async def test_a_sample_is_what_was_scored(http: httpx.AsyncClient) -> None:
    answered = await score(http, "a b", x_run="r1", x_run_step="5")
    (sample,) = await find(http)
    assert (sample["prompt"], sample["response"], sample["caller"], sample["run"]) == ("p", "a b", "anonymous", "r1")
    assert (sample["recipe"], sample["recipe_version"], sample["step"]) == ("plain", answered["recipe_version"], 5)
    (result,) = answered["results"]
    assert sample["reward"] == result["reward"]
    assert sample["components"]["quality"]["value"] == result["components"]["quality"]["value"]
    assert sample["components"]["quality"]["model"] == "letters"


async def test_filters_and_pages(http: httpx.AsyncClient) -> None:
    await score(http, "a b", "abc", "", None, x_run="r1")
    await score(http, "ab", "ab", reward="compared", x_run="r2")
    await score(http, "abcd")
    assert len(await find(http)) == 7
    assert {each["run"] for each in await find(http, run="r2")} == {"r2"}
    assert [each["response"] for each in await find(http, run="")] == ["abcd"]
    assert {each["recipe"] for each in await find(http, recipe="compared")} == {"compared"}
    assert [each["response"] for each in await find(http, kind="invalid")] == [None]
    assert [each["response"] for each in await find(http, flags="empty_response")] == [""]
    assert [each["response"] for each in await find(http, recipe="plain", sort="highest", limit=2)] == ["abcd", "abc"]
    page = (await http.get("/v1/samples", params={"limit": 3})).json()
    assert (page["total"], page["shared"], len(page["samples"])) == (7, False, 3)
    rest = (await http.get("/v1/samples", params={"cursor": page["cursor"]})).json()
    assert (len(rest["samples"]), rest["cursor"]) == (4, None)
    assert {each["id"] for each in page["samples"]}.isdisjoint(each["id"] for each in rest["samples"])


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"kind": "best"}, "kind"),
        ({"sort": "random"}, "sort"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"mark": "great"}, "mark"),
        ({"cursor": "x"}, "cursor"),
    ],
)
async def test_what_is_no_filter_is_refused(http: httpx.AsyncClient, query: Any, param: str) -> None:
    answer = await http.get("/v1/samples", params=query)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)


async def test_the_query_names_the_samples_run_and_not_the_requests(http: httpx.AsyncClient) -> None:
    await score(http, "abc", x_run="r1")
    answer = await http.get("/v1/samples", params={"run": "r1"}, headers={"x-run": "r2"})
    assert len(answer.json()["samples"]) == 1


async def test_marks_and_pairs(http: httpx.AsyncClient) -> None:
    await score(http, "a", "ab", "abc", "abcd", x_run="r1")
    ids = {each["response"]: each["id"] for each in await find(http)}
    pairs = await http.get("/v1/samples/pairs", params={"run": "r1"})
    assert pairs.headers["content-type"].startswith("application/x-ndjson")
    (pair,) = map(json.loads, pairs.text.splitlines())
    assert list(pair) == [
        *("prompt", "chosen", "rejected", "chosen_reward", "rejected_reward", "reward", "recipe_version", "run")
    ]
    assert (pair["chosen"], pair["rejected"], pair["reward"], pair["run"]) == ("abcd", "a", "plain", "r1")
    for response, mark in (("a", "good"), ("ab", "bad"), ("abcd", "hack")):
        answer = await http.put(f"/v1/samples/{ids[response]}/mark", json={"mark": mark})
        assert answer.json() == {"id": ids[response], "mark": mark}
    assert [each["response"] for each in await find(http, mark="hack")] == ["abcd"]
    lines = (await http.get("/v1/samples/pairs")).text.splitlines()
    assert {json.loads(line)["rejected"] for line in lines} == {"ab", "abcd"}
    assert {json.loads(line)["chosen"] for line in lines} == {"a"}
    assert (await http.get("/v1/samples/pairs?min_margin=-1")).status_code == 422
    assert (await http.put("/v1/samples/none/mark", json={"mark": "good"})).status_code == 404
    assert (await http.put(f"/v1/samples/{ids['a']}/mark", json={"mark": "great"})).status_code == 422


async def test_samples_are_deleted(http: httpx.AsyncClient) -> None:
    await score(http, "a", "ab", x_run="r1")
    await score(http, "abc")
    ids = [each["id"] for each in await find(http, run="r1")]
    assert (await http.delete("/v1/samples")).status_code == 422
    assert (await http.delete("/v1/samples", params={"id": ids[0]})).json() == {"deleted": 1}
    assert (await http.delete("/v1/samples", params={"run": "r1"})).json() == {"deleted": 1}
    assert (await http.delete("/v1/samples", params={"run": ""})).json() == {"deleted": 1}
    assert await find(http) == []


async def test_a_repeat_is_kept_once(http: httpx.AsyncClient) -> None:
    for _ in range(2):
        await score(http, "abc", idempotency_key="k")
        await score(http, "abcd", reward="counted", idempotency_key="k2")
    assert sorted(each["response"] for each in await find(http)) == ["abc", "abcd"]


async def test_only_admin_sees_them_and_those_of_all_callers(keyed: httpx.AsyncClient) -> None:
    await score(keyed, "abc", **by("alice"))
    await score(keyed, "ab", **by("root"))
    for key, status in (("alice", 403), ("alice-ops", 403), ("root", 200)):
        headers = {"x-api-key": f"{key}-secret"}
        for method, path in (("GET", ""), ("GET", "/pairs"), ("DELETE", "?run=none")):
            answer = await keyed.request(method, f"/v1/samples{path}", headers=headers)
            assert answer.status_code == status, (key, method, path)
    assert {each["caller"] for each in await find(keyed, by("root"))} == {"alice", "root"}
    assert {each["caller"] for each in await find(keyed, by("root"), tenant="alice")} == {"alice"}


async def test_a_key_may_be_exempt(keyed: httpx.AsyncClient) -> None:
    await score(keyed, "abc", **by("quiet"))
    assert await find(keyed, by("root")) == []


async def test_nothing_is_kept_unless_it_is_switched_on() -> None:
    async with HttpContract(make_app()).client() as client:
        await score(client, "abc")
        answers = [await client.get("/v1/samples"), await client.get("/v1/samples/pairs")]
        answers.append(await client.put("/v1/samples/x/mark", json={"mark": "good"}))
        answers.append(await client.delete("/v1/samples?run=r"))
        for answer in answers:
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_set_up")
            assert "--keep-samples" in answer.json()["error"]["message"]
