"""OpenEnv, over HTTP and a WebSocket: a task from reset, a reward from step, and an episode that ends with it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock

VERDICTS = {"equal/matched": 0.0, "equal/unfinished_reasoning": 0.0}
"""What a rule that looks for an answer says of one that is there, and the only one."""

pytestmark = pytest.mark.anyio

NESTED = '{"a":' * 70 + "0" + "}" * 70
TASKS = [{"prompt": f"{i} + {i}?", "reference": str(2 * i)} for i in range(5)]


@pytest.fixture
async def env(speak: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """A service with a file of tasks."""
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    async with speak(tasks_file=file, max_sessions=20) as http:
        yield http


async def reset(env: Any, **body: Any) -> str:
    """A new episode of the recipe ``share``."""
    name: str = (await env.ok("/reset?reward=share", body))["observation"]["episode_id"]
    return name


def step(answer: str, episode: str | None, **action: Any) -> dict[str, Any]:
    return {"action": {"answer": answer, **action}, "episode_id": episode}


@pytest.mark.parametrize("prefix", ["", "/openenv"])
async def test_an_episode_is_a_task_and_its_answer(env: Any, prefix: str) -> None:
    begun = await env.ok(f"{prefix}/reset?reward=share", {"split": "train", "index": 2})
    name = begun["observation"]["episode_id"]
    assert begun["observation"] == {"episode_id": name, "prompt": "2 + 2?", "split": "train", "index": 2}
    assert (begun["reward"], begun["done"]) == (None, False)
    assert (await env.client.get(f"{prefix}/state?episode_id={name}")).json() == {"episode_id": name, "step_count": 0}
    ended = await env.ok(f"{prefix}/step", step("4", name))
    metadata = {"components": {"equal": 1.0}, "verdicts": VERDICTS}
    observation = {"episode_id": name, "metadata": metadata}
    assert ended == {"observation": observation, "reward": 1.0, "done": True, "metadata": metadata}
    assert (await env.client.get(f"{prefix}/state?episode_id={name}")).json()["step_count"] == 1
    again = await env.post(f"{prefix}/step", step("4", name))
    assert (again.status_code, set(again.json())) == (409, {"detail"})


async def test_the_address_may_name_the_recipe(env: Any) -> None:
    begun = await env.ok("/r/share/openenv/reset", {"split": "train", "index": 2})
    ended = await env.ok("/r/share/openenv/step", step("4", begun["observation"]["episode_id"]))
    assert (ended["reward"], ended["metadata"]) == (1.0, {"components": {"equal": 1.0}, "verdicts": VERDICTS})
    assert (await env.post("/r/nobody/openenv/reset", {"index": 2})).status_code == 404


async def test_a_seed_always_chooses_the_same_task(env: Any) -> None:
    first, second = [(await env.ok("/reset", {"seed": 42}))["observation"]["prompt"] for _ in range(2)]
    assert first == second
    seen = {(await env.ok("/reset", {"seed": seed}))["observation"]["prompt"] for seed in range(15)}
    assert len(seen) > 1


async def test_a_client_may_name_its_episode_and_bring_its_task(env: Any) -> None:
    task = {"prompt": "1 + 1?", "reference": "2"}
    assert await reset(env, episode_id="mine", task=task) == "mine"
    in_metadata = step("2", None, metadata={"episode_id": "mine"})
    assert (await env.ok("/step", in_metadata))["reward"] == 1.0
    assert await reset(env, episode_id="mine", task=task) == "mine", "reset begins it anew"
    assert (await env.ok("/step", step("3", "mine")))["reward"] == 0.0
    assert (await env.post("/reset", {"task": {"question": "?"}})).status_code == 422
    assert (await env.post("/reset", {"index": 5})).status_code == 404
    assert (await env.post("/reset", {"split": "none"})).status_code == 404


async def test_no_field_of_the_body_chooses_the_recipe(env: Any) -> None:
    begun = await env.ok("/reset", {"task": {"prompt": "Why?"}, "reward": "share", "model": "share"})
    ended = await env.ok("/step", step("So.", begun["observation"]["episode_id"]))
    assert ended["reward"] == pytest.approx(await env.native("Why?", "So."))


async def test_without_tasks_there_is_nothing_to_begin(http: Any) -> None:
    answer = await http.post("/reset", {})
    assert (answer.status_code, "tasks_file" in answer.json()["detail"]) == (409, True)


async def test_what_cannot_be_scored_has_no_reward_and_says_why(env: Any) -> None:
    name = (await env.ok("/reset", {"index": 0}))["observation"]["episode_id"]
    ended = await env.ok("/step", step("bad", name))
    assert (ended["reward"], ended["done"], ended["metadata"]["error"]["code"]) == (None, True, "truncated")
    assert ended["observation"]["metadata"] == ended["metadata"], "old clients read the observation alone"


async def test_what_fails_for_the_servers_cause_is_an_http_error_and_the_episode_stays_open(env: Any) -> None:
    name = (await env.ok("/reset", {"index": 0}))["observation"]["episode_id"]
    env.models.away = True
    assert (await env.post("/step", step("4", name))).status_code == 503
    env.models.away = False
    assert (await env.ok("/step", step("4", name)))["reward"] is not None


async def test_an_episode_must_be_named_and_open(env: Any, clock: Clock) -> None:
    assert (await env.post("/step", step("4", None))).status_code == 422
    assert (await env.post("/step", step("4", "nobody"))).status_code == 404
    assert (await env.post("/step", step("4", "x" * 257))).status_code == 413
    name = await reset(env, index=0)
    await clock.advance(1000)
    assert (await env.post("/step", step("4", name))).status_code == 404


async def test_a_caller_has_a_bounded_number_of_episodes(speak: Any) -> None:
    task = {"task": {"prompt": "p"}}
    async with speak(max_sessions=1) as http:
        await http.ok("/reset", {**task, "episode_id": "a"})
        assert (await http.post("/reset", {**task, "episode_id": "b"})).status_code == 429
        await http.ok("/reset", {**task, "episode_id": "a"})


async def test_the_schemas_are_told(env: Any) -> None:
    found = (await env.client.get("/schema")).json()
    assert found["action"]["required"] == ["answer"]


# Over a WebSocket


def answer_of(text: str) -> dict[str, Any]:
    return {"type": "step", "data": {"answer": text}}


def reset_to(**data: Any) -> dict[str, Any]:
    return {"type": "reset", "data": data}


def error_of(frame: Any) -> tuple[str, str]:
    """OpenEnv's code of an error, and ours."""
    assert (set(frame), frame["type"]) == ({"type", "data"}, "error")
    assert frame["data"]["message"]
    return frame["data"]["code"], frame["data"]["error"]


@pytest.mark.parametrize(
    "path", ["/r/share/ws", "/r/share/openenv/ws", "/run/A/r/share/ws", "/r/share/run/A/ws", "/ws?reward=share"]
)
async def test_one_episode_after_the_other_is_played_on_a_websocket(env: Any, path: str) -> None:
    async with env.websocket(path) as ws:
        assert ws.status == 101
        for index, text, reward in ((2, "4", 1.0), (3, "5", 0.0)):
            begun = await ws.ask(reset_to(split="train", index=index))
            name = begun["data"]["observation"]["episode_id"]
            observation = {"episode_id": name, "prompt": TASKS[index]["prompt"], "split": "train", "index": index}
            reset: dict[str, Any] = {"observation": observation, "reward": None, "done": False, "metadata": None}
            assert begun == {"type": "observation", "data": reset}
            assert await ws.ask({"type": "state"}) == {"type": "state", "data": {"episode_id": name, "step_count": 0}}
            ended = await ws.ask(answer_of(text))
            metadata = {"components": {"equal": reward}, "verdicts": VERDICTS}
            observation = {"episode_id": name, "metadata": metadata}
            graded = {"observation": observation, "reward": reward, "done": True, "metadata": metadata}
            assert ended == {"type": "observation", "data": graded}
            assert (await ws.ask({"type": "state"}))["data"]["step_count"] == 1
            assert error_of(await ws.ask(answer_of(text))) == ("EXECUTION_ERROR", "conflict")
        assert await ws.ask({"type": "close"}) == 1000


async def test_a_websocket_gives_the_rewards_of_http(env: Any) -> None:
    async with env.websocket("/ws") as ws:
        for index, text in ((0, "zero"), (4, "a longer answer")):
            named = {"split": "train", "index": index}
            name = (await env.ok("/reset", named))["observation"]["episode_id"]
            over_http = await env.ok("/step", step(text, name))
            await ws.ask(reset_to(**named, episode_id=name))
            assert (await ws.ask(answer_of(text)))["data"] == over_http


async def test_without_a_place_a_reset_chooses_a_task_by_its_seed(env: Any) -> None:
    async with env.websocket("/ws") as ws:
        first, second = [(await ws.ask(reset_to(seed=42)))["data"]["observation"]["prompt"] for _ in range(2)]
        assert first == second == (await env.ok("/reset", {"seed": 42}))["observation"]["prompt"]
        assert (await ws.ask({"type": "reset"}))["data"]["observation"]["prompt"]


async def test_a_step_or_a_state_before_a_reset_is_no_number(env: Any) -> None:
    async with env.websocket("/ws") as ws:
        assert error_of(await ws.ask(answer_of("4"))) == ("EXECUTION_ERROR", "conflict")
        assert await ws.ask({"type": "state"}) == {"type": "state", "data": {"episode_id": None, "step_count": 0}}
        assert (await ws.ask(reset_to(index=1)))["type"] == "observation"


async def test_each_websocket_has_an_episode_of_its_own_which_nobody_else_knows(env: Any) -> None:
    async with env.websocket("/r/share/ws") as first, env.websocket("/r/share/ws") as second:
        await first.ask(reset_to(index=1, episode_id="mine"))
        assert error_of(await second.ask(answer_of("2")))[1] == "conflict"
        await second.ask(reset_to(index=2, episode_id="mine"))
        named = {"type": "step", "data": {"answer": "4", "metadata": {"episode_id": "other"}}}
        assert error_of(await second.ask(named))[1] == "not_found"
        assert (await env.post("/step", step("2", "mine"))).status_code == 404, "nor does HTTP"
        assert [(await ws.ask(answer_of("4")))["data"]["reward"] for ws in (first, second)] == [0.0, 1.0]


async def test_an_episode_ends_with_its_websocket(env: Any) -> None:
    async with env.websocket("/ws") as ws:
        await ws.ask(reset_to(index=1, episode_id="mine"))
    async with env.websocket("/ws") as ws:
        assert (await ws.ask({"type": "state"}))["data"]["episode_id"] is None


async def test_a_failed_score_on_a_websocket_is_null_with_its_reason(env: Any) -> None:
    async with env.websocket("/ws") as ws:
        await ws.ask(reset_to(index=0))
        ended = (await ws.ask(answer_of("bad")))["data"]
        assert (ended["reward"], ended["done"], ended["metadata"]["error"]["code"]) == (None, True, "truncated")
        assert ended["observation"]["metadata"] == ended["metadata"]


async def test_a_model_that_is_away_is_an_error_on_a_websocket_and_the_episode_stays_open(env: Any) -> None:
    async with env.websocket("/ws") as ws:
        await ws.ask(reset_to(index=0))
        env.models.away = True
        refused = await ws.ask(answer_of("4"))
        assert error_of(refused) == ("EXECUTION_ERROR", "model_unavailable")
        assert refused["data"]["retry_after_s"] > 0
        env.models.away = False
        assert (await ws.ask(answer_of("4")))["data"]["reward"] is not None


@pytest.mark.parametrize(
    ("message", "codes"),
    [
        ("{", ("INVALID_JSON", "malformed_body")),
        ("", ("INVALID_JSON", "malformed_body")),
        ("[1]", ("VALIDATION_ERROR", "invalid_request")),
        ({}, ("UNKNOWN_TYPE", "invalid_request")),
        ({"type": "dance"}, ("UNKNOWN_TYPE", "invalid_request")),
        ({"type": 3}, ("UNKNOWN_TYPE", "invalid_request")),
        ({"type": "step"}, ("VALIDATION_ERROR", "invalid_request")),
        ({"type": "step", "data": {"answer": None}}, ("VALIDATION_ERROR", "invalid_request")),
        ({"type": "reset", "data": [1]}, ("VALIDATION_ERROR", "invalid_request")),
        ({"type": "reset", "data": {"index": "one"}}, ("VALIDATION_ERROR", "invalid_request")),
        ({"type": "reset", "data": {"index": 99}}, ("EXECUTION_ERROR", "not_found")),
        ({"type": "reset", "data": {"task": {"question": "?"}}}, ("VALIDATION_ERROR", "invalid_request")),
        ({"type": "reset", "data": {"episode_id": "x" * 257}}, ("VALIDATION_ERROR", "too_large")),
        (
            '{"type": "reset", "data": {"task": ' + '{"a":' * 70 + "0" + "}" * 72,
            ("VALIDATION_ERROR", "invalid_request"),
        ),
    ],
)
async def test_a_message_that_says_nothing_is_refused_and_the_next_one_is_answered(
    env: Any, message: Any, codes: tuple[str, str]
) -> None:
    async with env.websocket("/r/share/ws") as ws:
        await ws.ask(reset_to(index=1))
        assert error_of(await ws.ask(message)) == codes
        assert (await ws.ask(answer_of("2")))["data"]["reward"] == 1.0, "the episode goes on"


async def test_tools_are_declined_as_openenvs_server_declines_them(env: Any) -> None:
    async with env.websocket("/ws") as ws:
        asked = {"jsonrpc": "2.0", "method": "tools/list", "params": {}, "id": 7}
        answer = await ws.ask({"type": "mcp", "data": asked})
        assert (answer["type"], answer["data"]["id"], answer["data"]["error"]["code"]) == ("mcp", 7, -32603)


async def test_the_recipe_of_the_address_is_the_environment_and_an_unknown_one_is_refused_at_the_handshake(
    env: Any,
) -> None:
    for path in ("/r/nobody/ws", "/r/nobody/openenv/ws", "/ws?reward=nobody"):
        async with env.websocket(path) as ws:
            assert (ws.status, error_of(ws.refusal)[1]) == (404, "not_found")
    async with env.websocket("/ws") as ws:
        begun = await ws.ask(reset_to(task={"prompt": "Why?"}, reward="share"))
        assert begun["type"] == "observation", "no field of a message chooses the recipe"
        assert (await ws.ask(answer_of("So.")))["data"]["reward"] == pytest.approx(await env.native("Why?", "So."))


@pytest.mark.parametrize("path", ["/ws", "/openenv/ws", "/r/share/ws"])
async def test_without_a_websocket_there_is_nothing_at_its_path(env: Any, path: str) -> None:
    for answer in (await env.client.get(path), await env.post(path, {"type": "state"})):
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
        assert error_of(answer.json())[1] == "upgrade_required"


async def test_a_brought_task_takes_its_bytes_from_the_budget_of_bodies(speak: Any) -> None:
    async with speak(max_body_bytes=20_000, max_body_bytes_in_flight=20_000) as http:
        held = http.app.state.dependencies.traffic.bodies
        task = {"prompt": "p" * 6_000, "reference": "4"}
        async with http.websocket("/r/share/ws") as ws:
            assert (await ws.ask(reset_to(task=task)))["type"] == "observation"
            kept = held.held
            assert 6_000 < kept < 7_000
            larger = {**task, "prompt": "p" * 9_000}
            assert error_of(await ws.ask(reset_to(task=larger))) == ("CAPACITY_REACHED", "overloaded")
            assert held.held == kept
            assert (await ws.ask(answer_of("4")))["data"]["reward"] == 1.0, "the episode before it goes on"
            await ws.ask(reset_to(task={"prompt": "p"}))
            assert held.held < 200
        assert held.held == 0
