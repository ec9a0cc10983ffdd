"""OpenEnv over HTTP: a task from reset, a reward from step, and an episode that ends with it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock

pytestmark = pytest.mark.anyio

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
    assert ended == {
        "observation": {"episode_id": name},
        "reward": 1.0,
        "done": True,
        "metadata": {"components": {"equal": 1.0}},
    }
    assert (await env.client.get(f"{prefix}/state?episode_id={name}")).json()["step_count"] == 1
    again = await env.post(f"{prefix}/step", step("4", name))
    assert (again.status_code, set(again.json())) == (409, {"detail"})


async def test_the_address_may_name_the_recipe(env: Any) -> None:
    begun = await env.ok("/r/share/openenv/reset", {"split": "train", "index": 2})
    ended = await env.ok("/r/share/openenv/step", step("4", begun["observation"]["episode_id"]))
    assert (ended["reward"], ended["metadata"]) == (1.0, {"components": {"equal": 1.0}})
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
