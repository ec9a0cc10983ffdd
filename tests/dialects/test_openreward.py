"""OpenReward's clients see a recipe as an environment with one tool: tasks, sessions, answers and groups."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.http.dialects import event_stream

from tests.clock import Clock, until

VERDICTS = {"equal/matched": 0.0, "equal/unfinished_reasoning": 0.0}
"""What a rule that looks for an answer says of one that is there, and the only one."""

pytestmark = pytest.mark.anyio

TASKS: list[dict[str, Any]] = [
    {"prompt": "2 + 2?", "reference": "4", "metadata": {"level": 1}},
    {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}], "reference": "So."},
    {"prompt": "3 + 3?", "reference": "6", "split": "test", "reward": "share"},
]


@pytest.fixture
def tasks_file(tmp_path: Path) -> Path:
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    return file


@pytest.fixture
async def env(speak: Any, tasks_file: Path) -> AsyncIterator[Any]:
    """A service with a file of tasks."""
    async with speak(tasks_file=tasks_file) as http:
        yield http


def events(answer: httpx.Response) -> list[tuple[str, str]]:
    """The events of a stream, read as the official client reads them."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    found: list[tuple[str, str]] = []
    name, data = None, []
    for line in answer.text.split("\n"):
        if not line and name:
            found.append((name, "\n".join(data)))
            name, data = None, []
        elif line and not line.startswith(":"):
            field, value = line.split(":", 1)
            if field == "event":
                name = value.lstrip()
            else:
                data.append(value.lstrip())
    return found


def result(answer: httpx.Response) -> Any:
    """The result at the end of a stream."""
    (first, *rest) = events(answer)
    assert first[0] == "task_id"
    assert [name for name, _ in rest] == ["chunk"] * (len(rest) - 1) + ["end"]
    return json.loads("".join(data for _, data in rest))


def by(sid: str) -> dict[str, str]:
    return {"X-Session-ID": sid}


async def begin(http: Any, **task: Any) -> str:
    """A session with a task, opened as the official client does."""
    ((name, sid), end) = events(await http.post("/create_session", {}))
    assert (name, end) == ("task_id", ("end", ""))
    assert await http.ok("/create", task, headers=by(sid)) == {"sid": sid}
    return sid


async def call(http: Any, sid: str, answer: str, env: str = "share", **fields: Any) -> httpx.Response:
    body = {"name": "answer", "input": {"answer": answer}, **fields}
    found: httpx.Response = await http.post(f"/{env}/call", body, headers=by(sid))
    return found


async def test_recipes_are_environments_with_one_tool(env: Any) -> None:
    names = (await env.client.get("/list_environments")).json()
    assert names[0] == "ratio", "the default comes first"
    assert {"share", "compared"} <= set(names)
    share, ranked = [(await env.client.get(f"/{name}/tools")).json() for name in ("share", "compared")]
    assert [tool["name"] for tool in share["tools"]] == ["answer"]
    assert share["tools"][0]["input_schema"]["required"] == ["answer"]
    assert (share["supports_score_group"], ranked["supports_score_group"]) == (False, True)
    assert (await env.client.get("/nobody/tools")).status_code == 404
    assert (await env.client.get("/openreward/share/tools")).json() == share
    assert set((await env.client.get("/version")).json()) == {"version", "build_sha"}


async def test_tasks_come_from_the_file_without_what_they_are_graded_by(env: Any) -> None:
    assert (await env.client.get("/share/splits")).json() == [
        {"name": "train", "type": "train"},
        {"name": "test", "type": "test"},
    ]
    assert (await env.client.get("/ratio/splits")).json() == [{"name": "train", "type": "train"}]
    found = await env.ok("/share/tasks", {"split": "train"})
    first = {"split": "train", "index": 0, "prompt": "2 + 2?", "metadata": {"level": 1}}
    assert (found["env_name"], found["tasks"][0], len(found["tasks"])) == ("share", first, 2)
    assert all("reference" not in task for task in found["tasks"])
    assert (await env.ok("/ratio/task", {"split": "train", "index": 1}))["task"]["prompt"] == TASKS[1]["prompt"]
    assert await env.ok("/share/num_tasks", {"split": "test"}) == {"num_tasks": 1}
    assert await env.ok("/share/task", {"split": "train", "index": 0}) == {"task": first, "env_name": "share"}
    ranged = await env.ok("/share/task_range", {"split": "train", "start": -1})
    assert [task["index"] for task in ranged["tasks"]] == [1]
    assert (await env.post("/share/task", {"split": "train", "index": 2})).status_code == 404
    assert (await env.post("/ratio/tasks", {"split": "test"})).status_code == 404


async def test_a_listing_of_tasks_is_bounded(speak: Any, tasks_file: Path) -> None:
    async with speak(tasks_file=tasks_file, max_samples=1) as http:
        assert (await http.post("/share/tasks", {"split": "train"})).status_code == 422
        assert len((await http.ok("/share/task_range", {"split": "train", "stop": 1}))["tasks"]) == 1


async def test_a_session_shows_its_task_and_grades_the_answer_once(env: Any) -> None:
    sid = await begin(env, env_name="share", split="train", index=0)
    assert await env.ok("/ping", {}, headers=by(sid)) == {"status": "ok"}
    blocks = (await env.client.get("/share/prompt", headers=by(sid))).json()
    assert blocks == [{"text": "2 + 2?", "detail": None, "type": "text"}]
    turns = (await env.client.get("/share/messages", headers=by(sid))).json()
    assert turns == [{"role": "user", "blocks": blocks, "detail": None}]
    tools = (await env.client.get("/share/task_tools", headers=by(sid))).json()
    assert [tool["name"] for tool in tools["tools"]] == ["answer"]
    graded = result(await call(env, sid, "4"))
    assert graded["ok"] is True
    assert (graded["output"]["reward"], graded["output"]["finished"]) == (1.0, True)
    assert graded["output"]["metadata"] == {"components": {"equal": 1.0}, "verdicts": VERDICTS}
    again = result(await call(env, sid, "5"))
    assert (again["ok"], again["reason"]) == (False, "episode_finished")


async def test_turns_of_a_task_keep_their_roles(env: Any) -> None:
    sid = await begin(env, env_name="ratio", split="train", index=1)
    turns = (await env.client.get("/ratio/messages", headers=by(sid))).json()
    assert [(turn["role"], turn["blocks"][0]["text"]) for turn in turns] == [("system", "Be brief."), ("user", "Why?")]
    result(await call(env, sid, "So.", "ratio"))
    ((prompt, response),) = env.models.seen
    assert [turn["role"] for turn in prompt] == ["system", "user"]
    assert response == "So."


async def test_a_task_that_was_shown_is_that_of_the_file_whatever_else_it_says(env: Any) -> None:
    shown = (await env.ok("/share/task", {"split": "train", "index": 0}))["task"]
    sid = await begin(env, env_name="share", task_spec={**shown, "reference": "5", "reward": "ratio"})
    assert result(await call(env, sid, "4"))["output"]["reward"] == 1.0


async def test_a_client_may_bring_a_task_of_its_own(env: Any) -> None:
    sid = await begin(env, env_name="share", task_spec={"prompt": "1 + 1?", "reference": "2"})
    assert result(await call(env, sid, "2"))["output"]["reward"] == 1.0
    for spec in ({"question": "1 + 1?"}, {"reference": "2"}, {"prompt": "p", "response": "r"}, {"prompt": 3}):
        answer = await env.post("/create", {"env_name": "share", "task_spec": spec}, headers=by("other"))
        assert answer.status_code == 422, spec
    large = {"prompt": "p" * 200_000}
    assert (await env.post("/create", {"task_spec": large}, headers=by("other"))).status_code == 422


async def test_paths_without_an_environment_mean_the_clients_or_the_default(env: Any) -> None:
    assert (await env.client.get("/tools")).json() == (await env.client.get("/ratio/tools")).json()
    sid = await begin(env, split="train", index=0)
    answer = await env.post("/call", {"name": "answer", "input": {"answer": "4"}}, headers=by(sid))
    assert result(answer)["output"]["reward"] == pytest.approx(await env.native("2 + 2?", "4"))
    ((status, ranked),) = [
        (answer.status_code, answer.json())
        for answer in [await env.client.get("/tools?reward=compared", headers={"X-Deployment": "me/none"})]
    ]
    assert (status, ranked["supports_score_group"]) == (200, True)


async def test_the_address_may_name_the_recipe(env: Any) -> None:
    assert (await env.client.get("/r/share/tools")).json() == (await env.client.get("/share/tools")).json()
    sid = await begin(env, split="train", index=0)
    body = {"name": "answer", "input": {"answer": "4"}}
    by_path = await env.post("/r/share/openreward/call", body, headers=by(sid))
    assert result(by_path)["output"] == result(await call(env, await begin(env, split="train", index=0), "4"))["output"]
    assert (await env.client.get("/r/nobody/tools")).status_code == 404


async def test_what_cannot_be_scored_has_no_reward_and_says_why(env: Any) -> None:
    sid = await begin(env, env_name="ratio", split="train", index=0)
    output = result(await call(env, sid, "bad", "ratio"))["output"]
    assert (output["reward"], output["finished"]) == (None, True)
    assert output["metadata"]["error"]["code"] == "truncated"


async def test_what_fails_for_the_servers_cause_is_an_http_error_and_the_task_stays_open(env: Any) -> None:
    sid = await begin(env, env_name="ratio", split="train", index=0)
    env.models.away = True
    answer = await call(env, sid, "4", "ratio")
    assert (answer.status_code, set(answer.json())) == (503, {"detail"})
    env.models.away = False
    assert result(await call(env, sid, "4", "ratio"))["output"]["reward"] is not None


async def test_calls_of_another_tool_or_with_other_input_are_told_so(env: Any) -> None:
    sid = await begin(env, env_name="share", split="train", index=0)
    for body, reason in (
        ({"name": "search", "input": {}}, "not_found"),
        ({"name": "answer", "input": {}}, "input_validation"),
        ({"name": "answer", "input": {"answer": 4}}, "input_validation"),
        ({"name": "answer", "input": {"answer": "4", "more": 1}}, "input_validation"),
    ):
        told = result(await env.post("/share/call", body, headers=by(sid)))
        assert (told["ok"], told["reason"]) == (False, reason)
    assert result(await call(env, sid, "4"))["output"]["reward"] == 1.0


async def test_a_stream_that_broke_off_is_resumed_by_its_id(env: Any) -> None:
    sid = await begin(env, env_name="share", split="train", index=0)
    first = await call(env, sid, "4")
    task_id = events(first)[0][1]
    resumed = await call(env, sid, "4", task_id=task_id)
    assert events(resumed) == events(first)
    assert (await call(env, sid, "4", task_id="not an id")).status_code == 422


@pytest.mark.parametrize("path", ["/share/call", "/share/score_group", "/ping", "/create", "/delete"])
async def test_a_session_must_be_named_and_open(env: Any, path: str) -> None:
    body = {"name": "answer", "candidates": [], "split": "train", "index": 0}
    answer = await env.post(path, body)
    assert (answer.status_code, answer.json()) == (422, {"detail": "X-Session-ID: missing header"})
    if path not in ("/create", "/delete"):
        assert (await env.post(path, body, headers=by("nobody"))).status_code == 404
    assert (await env.post(path, body, headers=by("x" * 257))).status_code == 413


async def test_sessions_end_when_they_are_deleted_or_nobody_uses_them(env: Any, clock: Clock) -> None:
    gone, unused, used = [await begin(env, env_name="share", split="train", index=0) for _ in range(3)]
    assert (await env.post("/create", {"split": "train", "index": 0}, headers=by(gone))).status_code == 409
    assert await env.ok("/delete", {}, headers=by(gone)) == {"sid": gone}
    assert await env.ok("/delete_session", {}, headers=by(gone)) == {"sid": gone}
    assert (await call(env, gone, "4")).status_code == 404
    await clock.advance(800)
    await env.ok("/ping", {}, headers=by(used))
    await clock.advance(200)
    assert (await call(env, unused, "4")).status_code == 404
    assert result(await call(env, used, "4"))["output"]["reward"] == 1.0


async def test_a_caller_has_a_bounded_number_of_sessions_of_its_own(
    speak: Any, tasks_file: Path, tmp_path: Path
) -> None:
    ring = tmp_path / "keys.yaml"
    ring.write_text("keys: [{name: alice, key: aaaaaaaa}, {name: bob, key: bbbbbbbb}]")
    alice, bob = {"X-Api-Key": "aaaaaaaa"}, {"X-Api-Key": "bbbbbbbb"}
    task = {"env_name": "share", "split": "train", "index": 0}
    async with speak(tasks_file=tasks_file, api_keys_file=ring, max_sessions=2) as http:
        for name in ("1", "2"):
            await http.ok("/create", task, headers={**alice, **by(name)})
        full = await http.post("/create", task, headers={**alice, **by("3")})
        assert (full.status_code, "retry-after" in full.headers) == (429, True)
        assert (await http.post("/ping", {}, headers={**bob, **by("1")})).status_code == 404
        await http.ok("/create", task, headers={**bob, **by("1")})


def candidate(*blocks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    turns = [
        {"role": "user", "blocks": [{"type": "text", "text": "2 + 2?"}], "detail": None},
        {"role": "assistant", "blocks": list(blocks), "detail": None},
    ]
    return {"messages": turns, "metadata": None, **fields}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said, "detail": None}


async def test_a_group_of_rollouts_is_scored_as_a_group(env: Any) -> None:
    sid = await begin(env, env_name="compared", split="train", index=0)
    said = ["a", "bbb", "cccccc"]
    candidates = [candidate(text(each), metadata={"rollout": i}) for i, each in enumerate(said)]
    scores = result(await env.post("/compared/score_group", {"candidates": candidates}, headers=by(sid)))["scores"]
    samples = [{"prompt": "2 + 2?", "response": each, "group": "g"} for each in said]
    native = (await env.ok("/v1/score", {"reward": "compared", "samples": samples}))["results"]
    assert [score["reward"] for score in scores] == [pytest.approx(each["reward"]) for each in native]
    assert [score["metadata"] for score in scores] == [{"rollout": i} for i in range(3)]


async def test_a_group_is_told_the_cause_and_not_that_it_leaves_a_candidate_alone(env: Any) -> None:
    sid = await begin(env, env_name="compared", split="train", index=0)
    candidates = [candidate(text("4")), candidate(text("bad"))]
    (_, ended) = events(await env.post("/compared/score_group", {"candidates": candidates}, headers=by(sid)))
    assert ended[0] == "error"
    assert ended[1].startswith("candidates[1]: "), ended[1]
    (_, ended) = events(await env.post("/compared/score_group", {"candidates": candidates[:1]}, headers=by(sid)))
    assert (ended[0], "group" in ended[1]) == ("error", True), "one that is alone by itself is told so"


async def test_a_candidate_says_what_its_last_turn_says(env: Any) -> None:
    sid = await begin(env, env_name="ratio", split="train", index=0)
    thought = {"type": "reasoning", "text": "Hm.", "signature": None}
    called = {"type": "tool_call", "id": "1", "name": "answer", "input": {"answer": "four"}}
    candidates = [candidate(thought, text("4")), candidate(text("I think"), called), candidate(text("x"), text("y"))]
    result(await env.post("/ratio/score_group", {"candidates": candidates}, headers=by(sid)))
    assert [response for _, response in env.models.seen] == [
        [{"role": "assistant", "content": "4", "reasoning_content": "Hm."}],
        "four",
        "xy",
    ]
    for turn in ({"role": "user", "blocks": [text("2 + 2?")]}, {"role": "assistant"}):
        answer = await env.post("/ratio/score_group", {"candidates": [{"messages": [turn]}]}, headers=by(sid))
        assert answer.status_code == 422
        assert "candidates[0].messages" in answer.json()["detail"]


async def test_a_candidate_may_have_chat_messages(env: Any) -> None:
    sid = await begin(env, env_name="compared", split="train", index=0)
    turns = [{"role": "user", "content": "2 + 2?"}, {"role": "tool", "content": "4"}]
    spoken = [{"messages": [*turns, {"role": "assistant", "content": each}]} for each in ("a", "bbb")]
    found = result(await env.post("/compared/score_group", {"candidates": spoken}, headers=by(sid)))
    blocks = [candidate(text(each)) for each in ("a", "bbb")]
    assert found == result(await env.post("/compared/score_group", {"candidates": blocks}, headers=by(sid)))


async def test_a_candidate_that_cannot_be_scored_ends_the_stream_with_an_error(env: Any) -> None:
    sid = await begin(env, env_name="compared", split="train", index=0)
    candidates = [candidate(text("good")), candidate(text("bad")), candidate(text("better"))]
    answer = await env.post("/compared/score_group", {"candidates": candidates}, headers=by(sid))
    ((first, _), (second, message)) = events(answer)
    assert (first, second) == ("task_id", "error")
    assert message.startswith("candidates[1]: ")
    env.models.away = True
    assert (await env.post("/compared/score_group", {"candidates": candidates}, headers=by(sid))).status_code == 503


async def test_an_answer_that_takes_long_is_streamed_and_its_failure_is_an_event(
    env: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "SILENCE_S", 0.01)
    for said, last in (("good", "end"), ("bad", "end")):
        sid = await begin(env, env_name="ratio", split="train", index=0)
        calls = env.models.calls
        env.models.gate.shut()
        asking = asyncio.create_task(call(env, sid, said, "ratio"))
        await until(partial(_called_after, env, calls))
        await asyncio.sleep(0.05)
        env.models.gate.open()
        answer = await asking
        assert ": still at work" in answer.text
        assert events(answer)[-1][0] == last


def _called_after(env: Any, calls: int) -> bool:
    return bool(env.models.calls > calls)


async def test_requests_without_a_body_have_no_content_type_of_json(env: Any) -> None:
    """The official client's: aiohttp without a body says that it sends an octet stream."""
    headers = {"Content-Type": "application/octet-stream"}
    ((_, sid), _) = events(await env.client.post("/create_session", headers=headers))
    await env.ok("/create", {"env_name": "share", "split": "train", "index": 0}, headers=by(sid))
    for path in ("/ping", "/delete", "/delete_session"):
        answer = await env.client.post(path, headers={**headers, **by(sid)})
        assert answer.status_code == 200, path


def test_a_long_result_is_cut_where_clients_do_not_lose_a_space() -> None:
    text = "x" * (event_stream.CHUNK - 20) + " " * 50 + "y" * event_stream.CHUNK
    answer = httpx.Response(
        200, content=b"".join(event_stream.encode_result("1", [text])), headers={"content-type": "text/event-stream"}
    )
    assert result(answer) == [text]
