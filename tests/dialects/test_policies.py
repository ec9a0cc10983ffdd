"""The table of policies is shown, and holds: overload, patience, errors before and behind the routes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.gateway import Gateway
from reward_gateway.http import client_profiles
from reward_gateway.http.app import create_app
from reward_gateway.http.dialects.dialect import DIALECTS
from reward_gateway.settings import Settings

from tests.clock import Clock, until

pytestmark = pytest.mark.anyio

OPENRLHF = {"query": ["pr"], "prompts": ["p"], "labels": [None]}
FORMS = [
    ("/get_reward", OPENRLHF, {"error"}),
    ("/tei/predict", {"inputs": "text"}, {"error", "error_type"}),
    ("/cohere/v2/rerank", {"model": "model", "query": "q", "documents": ["d"]}, {"message"}),
    ("/v2/rerank", {"model": "model", "query": "q", "documents": ["d"]}, {"message", "error"}),
    (
        "/v1/chat/completions",
        {"model": "model", "messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "r"}]},
        {"error"},
    ),
]


async def test_the_table_is_shown_with_the_paths(http: Any) -> None:
    rows = {row["name"]: row for row in (await http.client.get("/v1/dialects")).json()["dialects"]}
    assert set(rows) == set(DIALECTS)
    assert len({frozenset(row) for row in rows.values()}) == 1
    assert {"/get_reward", "/openrlhf/get_reward"} <= set(rows["openrlhf"]["paths"])
    page = (await http.client.get("/openapi.json")).json()["paths"]
    for row in rows.values():
        assert row["paths"]
        assert set(row["paths"]) - {"/v1/score"} <= set(page)


async def test_every_dialect_but_the_shared_one_has_paths_of_its_own(http: Any) -> None:
    for row in (await http.client.get("/v1/dialects")).json()["dialects"]:
        prefix = row["prefix"]
        own = [path for path in row["paths"] if prefix and (path == prefix or path.startswith(f"{prefix}/"))]
        assert own or row["prefix"] is None


async def test_health_is_answered_behind_the_prefix_of_every_dialect(speak: Any, tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text("keys: [{name: trainer, key: abcdefgh}]")
    async with speak(api_keys_file=tmp_path / "keys.yaml") as http:  # health needs no key
        for dialect in DIALECTS.values():
            prefix = f"/{dialect.policy.prefix}" if dialect.policy.prefix else ""
            for address in (prefix, f"/run/A{prefix}"):
                assert (await http.client.get(f"{address}/health")).json()["status"] == "ok", address


def test_no_client_waits_longer_than_the_trainer_behind_it() -> None:
    timeouts = {"openrlhf": 180, "slime": 120, "nemo_gym": 30, "axolotl": 30, "judge": 120}
    timeouts |= {"xtuner": 30, "align_anything": 100, "oat": 5}
    for name, seconds in timeouts.items():
        deadline = DIALECTS[name].policy.deadline_s
        assert deadline is not None
        assert deadline < seconds


@pytest.mark.parametrize(("path", "body", "keys"), FORMS)
async def test_a_missing_key_is_refused_in_the_clients_own_form(
    speak: Any, tmp_path: Path, path: str, body: Any, keys: set[str]
) -> None:
    ring = tmp_path / "keys.yaml"
    ring.write_text("keys: [{name: trainer, key: abcdefgh}]")
    async with speak(api_keys_file=ring) as http:
        answer = await http.post(path, body)
        assert (answer.status_code, set(answer.json())) == (401, keys)
        assert (await http.post(path, body, headers={"Authorization": "Bearer abcdefgh"})).status_code == 200


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer "}, {"Authorization": "Bearer stray"}, {}])
async def test_stray_tokens_are_ignored_where_keys_are_off(http: Any, headers: dict[str, str]) -> None:
    await http.ok("/get_reward", OPENRLHF, headers=headers)


@pytest.mark.parametrize(("path", "body", "keys"), FORMS)
async def test_an_unknown_reward_and_a_broken_body_are_refused_in_the_clients_own_form(
    http: Any, path: str, body: Any, keys: set[str]
) -> None:
    unknown = await http.post(f"{path}?reward=nobody", body)
    assert (unknown.status_code, set(unknown.json())) == (404, keys)
    broken = await http.client.post(path, content=b"{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, set(broken.json())) == (400, keys)
    wrong = await http.client.delete(path)
    assert (wrong.status_code, set(wrong.json())) == (405, keys)


@pytest.mark.parametrize(("path", "body", "keys"), FORMS)
async def test_overload_has_the_status_that_the_clients_try_again_on(
    speak: Any, path: str, body: Any, keys: set[str]
) -> None:
    async with speak(max_in_flight=1, max_queued=0) as http:
        http.models.gate.shut()
        held = asyncio.create_task(http.post("/get_reward", OPENRLHF))
        await until(lambda: http.models.calls)
        answer = await http.post(path, body)
        http.models.gate.open()
        assert (await held).status_code == 200
    served = [dialect.policy for dialect in DIALECTS.values() if path in dialect.paths]
    assert {answer.status_code} == {policy.row()["overload_status"] for policy in served}
    assert set(answer.json()) == keys
    assert int(answer.headers["retry-after"]) >= 1


def test_the_status_of_a_server_that_is_too_busy_is_that_of_the_error_format() -> None:
    statuses = {name: dialect.policy.row()["overload_status"] for name, dialect in DIALECTS.items()}
    assert {name for name, status in statuses.items() if status == 429} == {"tei", "judge", "graders"}
    assert {name for name, status in statuses.items() if status == 200} == {"axolotl"}, "which makes 0.0 of any other"
    assert set(statuses.values()) == {200, 429, 503}


async def test_the_answer_is_given_up_before_the_client_gives_up(
    http: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client_profiles._profiles, "/get_reward", client_profiles.ClientProfile(deadline_s=100))
    http.models.gate.shut()
    asking = asyncio.create_task(http.post("/get_reward", OPENRLHF))
    await until(lambda: http.models.calls)
    await clock.advance(101)
    answer = await asking
    assert answer.status_code == 504
    assert "rewards" not in answer.json()


def test_a_policy_for_nobody_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="unknown dialects: nobody"):
        create_app(Gateway.__new__(Gateway), Settings(dialect_failures={"nobody": "error"}))


async def test_flags_come_as_a_header_because_no_dialect_has_a_place_for_them(speak: Any) -> None:
    async with speak() as http:
        said = {"type": "message", "role": "assistant", "content": "good", "audio": {"id": "a"}}
        told = await http.post("/verify", {"responses_create_params": {"input": "p"}, "response": {"output": [said]}})
        assert told.status_code == 200, told.text
        assert told.headers["x-reward-flags"] == "0:message_parts_ignored"
        plain = await http.post("/get_reward", OPENRLHF)
        assert "x-reward-flags" not in plain.headers
    assert {dialect.policy.row()["flags"] for dialect in DIALECTS.values()} == {"X-Reward-Flags"}


async def test_dialects_of_single_samples_say_what_a_recipe_that_compares_needs(http: Any) -> None:
    rows = (await http.client.get("/v1/dialects")).json()["dialects"]
    single = {row["name"] for row in rows if row["one_sample"]}
    assert single == {"slime", "nemo_gym", "axolotl", "roll", "reward_kit", "judge", "xtuner", "vertex", "robometer"}
    page = (await http.client.get("/openapi.json")).json()["paths"]
    for path in ("/rm", "/verify", "/roll/submit", "/reward", "/xtuner", "/vertex", "/v1/chat/completions"):
        assert "cohort: {size: 8" in page[path]["post"]["description"]
    assert "cohort:" not in page["/get_reward"]["post"].get("description", "")
