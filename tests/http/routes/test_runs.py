"""``/v1/runs``: what a client sees of the history of its runs, and what of those of others."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

from ..conftest import KNOWN, Letters

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  plain:
    components:
      quality: {score: letters}
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
    guards: [empty_response]
    combine: {weighted_sum: {over: [quality, brevity]}}
  compared:
    components: {quality: {score: letters}}
    group: {normalize: mean}
  counted:
    components:
      quality: {score: letters, transforms: [{running_normalise: {stream: s}}]}
default: plain
"""
KEYS = """
keys:
  - {name: alice, key: alice-secret, rights: [score]}
  - {name: alice-ops, tenant: alice, key: alice-ops-secret, rights: [score, state]}
  - {name: bob, key: bob-secret, rights: [score, state]}
  - {name: root, key: root-secret, rights: [admin]}
"""


def make_app(**settings: Any) -> Any:
    models = CachedScorer(Letters(), MemoryCache(1000, 60))
    runtime = EffectsRuntime(models, StateStore.in_process(), known_models=KNOWN)
    return create_app(Gateway(load_book(RECIPES, KNOWN), runtime), Settings(**settings))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with HttpContract(make_app()).client() as client:
        yield client


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "keys.yaml").write_text(KEYS)
    async with HttpContract(make_app(api_keys_file=tmp_path / "keys.yaml")).client() as client:
        yield client


def by(key: str, run: str = "", **more: str) -> dict[str, str]:
    return {"x-api-key": f"{key}-secret", **({"x-run": run} if run else {}), **more}


async def score(client: httpx.AsyncClient, *responses: str | None, reward: str = "plain", **headers: str) -> Any:
    samples = [{"prompt": "p", "response": r} if r is not None else {"prompt": "p"} for r in responses]
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.post("/v1/score", json={"reward": reward, "samples": samples}, headers=sent)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def show(client: httpx.AsyncClient, run: str, bucket: str = "step", **arguments: Any) -> Any:
    answer = await client.get(f"/v1/runs/{run}", params={"bucket": bucket}, **arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_run_is_told_step_by_step(http: httpx.AsyncClient) -> None:
    await score(http, "a b", "abc", "", None, x_run="r1", x_run_step="5")
    await score(http, "ab", "ab", reward="compared", x_run="r1", x_run_step="6")
    told = await show(http, "r1")
    assert (told["run"], told["caller"], told["samples"], told["invalid"]) == ("r1", "anonymous", 6, 1)
    assert (told["bucket"], told["shared"]) == ("step", False)
    (row,) = told["rewards"]["plain"]["series"]
    assert set(row) == {
        *("step", "n", "invalid", "flagged", "mean", "std", "quantiles", "components", "advantage"),
        *("zero_variance_share", "length_correlation"),
    }
    rewards = [3 - 0.5, 3.0, 0.0]  # letters, less half of each word beyond the first
    assert (row["step"], row["n"], row["invalid"], row["flagged"]) == (5, 4, 1, 1)
    assert row["mean"] == pytest.approx(sum(rewards) / 3)
    assert row["components"]["quality"]["mean"] == pytest.approx(2.0)
    assert row["zero_variance_share"] == 0.0
    (version,) = told["rewards"]["plain"]["versions"]
    assert version["step"] == 5
    assert version["version"] == (await http.get("/v1/rewards/plain")).json()["version"]
    (row,) = told["rewards"]["compared"]["series"]
    assert (row["mean"], row["std"], row["advantage"]["mean"], row["zero_variance_share"]) == (2.0, 0.0, 0.0, 1.0)


async def test_a_run_is_told_by_minutes_and_hours_without_steps(http: httpx.AsyncClient) -> None:
    await score(http, "abc")
    for bucket, width in (("minute", 60), ("hour", 3600)):
        (row,) = (await show(http, "", bucket))["rewards"]["plain"]["series"]
        assert (row["n"], row["t"] % width) == (1, 0)
    assert (await show(http, ""))["rewards"]["plain"]["series"] == []
    by_default = (await http.get("/v1/runs/")).json()
    assert (by_default["bucket"], by_default["run"]) == ("minute", "")


async def test_the_list_has_every_run_of_the_caller(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/runs")).json() == {"runs": [], "cursor": None, "shared": False}
    await score(http, "abc", None)
    await score(http, "abc", x_run="r1")
    first = (await http.get("/v1/runs", params={"limit": "1"})).json()
    (row,) = first["runs"]
    assert set(row) == {"run", "caller", "first_seen", "last_seen", "samples", "invalid", "rewards"}
    (other,) = (await http.get("/v1/runs", params={"cursor": first["cursor"]})).json()["runs"]
    assert {row["run"]: row["samples"], other["run"]: other["samples"]} == {"r1": 1, "": 2}
    assert other["rewards"] == ["plain"]


@pytest.mark.parametrize("step", ["x", "1.5", "", "1" * 16, "--1", "+1", " 1 2"])
async def test_a_step_that_is_no_whole_number_is_refused(http: httpx.AsyncClient, step: str) -> None:
    answer = await http.post("/v1/score", json={"samples": []}, headers={"x-run-step": step})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "X-Run-Step"), answer.text


@pytest.mark.parametrize("step", [0, -1, 10**15 - 1])
async def test_any_whole_number_is_a_step(http: httpx.AsyncClient, step: int) -> None:
    await score(http, "abc", x_run="r", x_run_step=str(step))
    (row,) = (await show(http, "r"))["rewards"]["plain"]["series"]
    assert row["step"] == step


async def test_a_request_without_samples_begins_no_run(http: httpx.AsyncClient) -> None:
    await score(http, x_run="r")
    assert (await http.get("/v1/runs/r")).status_code == 404


@pytest.mark.parametrize("reward", ["plain", "counted"])
async def test_a_repeat_under_a_key_counts_once(http: httpx.AsyncClient, reward: str) -> None:
    for _ in range(3):
        await score(http, "abc", reward=reward, x_run="r", idempotency_key="k")
    await score(http, "abc", reward=reward, x_run="r")
    assert (await show(http, "r"))["samples"] == 2


async def test_equal_requests_without_a_key_count_each_in_its_step(http: httpx.AsyncClient) -> None:
    for step in range(4):  # the third is answered as the second was
        await score(http, "abc", x_run="r", x_run_step=str(step))
    rows = (await show(http, "r"))["rewards"]["plain"]["series"]
    assert [(row["step"], row["n"], row["mean"]) for row in rows] == [(step, 1, 3.0) for step in range(4)]


async def test_rows_after_a_step_are_read_alone(http: httpx.AsyncClient) -> None:
    for step in range(3):
        await score(http, "abc", x_run="r", x_run_step=str(step))
    answer = await http.get("/v1/runs/r", params={"bucket": "step", "after": "1"})
    assert [row["step"] for row in answer.json()["rewards"]["plain"]["series"]] == [2]


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/runs?limit=0", "limit"),
        ("/v1/runs?limit=1001", "limit"),
        ("/v1/runs?limit=x", "limit"),
        ("/v1/runs?cursor=5", "cursor"),
        ("/v1/runs/r?bucket=day", "bucket"),
        ("/v1/runs/r?after=x", "after"),
        ("/v1/runs/a%20b", "X-Run"),
    ],
)
async def test_a_question_that_is_none_is_refused(http: httpx.AsyncClient, path: str, param: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param), answer.text


async def test_others_runs_are_seen_by_an_admin_alone(keyed: httpx.AsyncClient) -> None:
    for key in ("alice", "bob"):
        await score(keyed, "abc", **by(key, "r"))

    async def listed(key: str, **params: str) -> list[str]:
        answer = await keyed.get("/v1/runs", headers=by(key), params=params)
        assert answer.status_code == 200, answer.text
        return sorted(row["caller"] for row in answer.json()["runs"])

    assert [await listed(key) for key in ("alice", "alice-ops", "bob")] == [["alice"], ["alice"], ["bob"]]
    assert await listed("root") == ["alice", "bob"]
    assert await listed("root", tenant="bob") == ["bob"]
    assert (await keyed.get("/v1/runs", headers=by("bob"), params={"tenant": "alice"})).status_code == 403
    assert (await keyed.get("/v1/runs/r?tenant=alice", headers=by("bob"))).status_code == 403
    assert (await keyed.get("/v1/runs/r?tenant=alice", headers=by("root"))).json()["caller"] == "alice"
    assert (await keyed.get("/v1/runs/r", headers=by("root"))).status_code == 404
    assert (await keyed.get("/v1/runs/r")).status_code == 401


async def test_a_run_is_forgotten_with_the_right_for_state(keyed: httpx.AsyncClient) -> None:
    for key in ("alice", "bob"):
        await score(keyed, "abc", **by(key, "r"))
    assert (await keyed.delete("/v1/runs/r", headers=by("alice"))).status_code == 403
    assert (await keyed.delete("/v1/runs/r?tenant=bob", headers=by("alice-ops"))).status_code == 403
    answer = await keyed.delete("/v1/runs/r", headers=by("alice-ops"))
    assert (answer.status_code, answer.json()) == (200, {"forgotten": True})
    assert (await keyed.get("/v1/runs/r", headers=by("alice"))).status_code == 404
    assert (await keyed.delete("/v1/runs/r", headers=by("alice-ops"))).status_code == 404
    assert (await keyed.delete("/v1/runs/r?tenant=bob", headers=by("root"))).status_code == 200


async def test_a_gateway_may_keep_no_history() -> None:
    async with HttpContract(make_app(run_history_bytes=0)).client() as client:
        await score(client, "abc", x_run="r")
        for answer in (await client.get("/v1/runs"), await client.get("/v1/runs/r")):
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_set_up")
