"""Clients of environments, by whole sessions: OpenEnv's and OpenReward's own, the guides, and OpenEnv's own server."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.conftest import GROUPED, TASKS
from tests.conftest import ROOT, Stack

PROBES = Path(__file__).with_name("probes")
GUIDES = ROOT / "service/reward_gateway/client/adapters/guides"


def metadata_of(reward: float) -> dict[str, dict[str, float]]:
    """What comes with a reward of ``right``: its component, and how that was judged."""
    return {
        "components": {"answer": reward},
        "verdicts": {"answer/matched": 0.0, "answer/unfinished_reasoning": 0.0},
    }


def run(environment: str, folder: Path, script: Path, *arguments: str, **variables: str) -> str:
    """What a script printed, run in the environment of a client."""
    python = Path(os.environ["CLIENTS_FOLDER"]) / environment / "bin/python"
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), str(script), *arguments],
        cwd=folder,
        env={**known, "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def script_of(guide: str, folder: Path) -> Path:
    """The script of a guide, as a reader would copy it."""
    (content,) = re.findall(r"^```python trainer=play\.py\n(.*?)^```$", (GUIDES / guide).read_text(), flags=re.M | re.S)
    path = folder / "play.py"
    path.write_text(content)
    return path


@pytest.mark.parametrize("environment", ["openenv", "openenv-core"])
def test_the_guide_of_openenv_plays_episodes(service: Stack, tmp_path: Path, environment: str) -> None:
    script = script_of("openenv.md", tmp_path)
    printed = run(
        environment, tmp_path, script, REWARD_GATEWAY_URL=service.http, REWARD_GATEWAY_REWARD="right"
    ).splitlines()
    assert printed == ["0 1.0 {'answer': 1.0}", "1 0.0 {'answer': 0.0}"]


def test_the_guide_of_openreward_plays_sessions_and_scores_a_group(service: Stack, tmp_path: Path) -> None:
    script = script_of("openreward.md", tmp_path)
    variables = {"REWARD_GATEWAY_REWARD": "right", "REWARD_GATEWAY_GROUPED": GROUPED}
    printed = run("openreward", tmp_path, script, REWARD_GATEWAY_URL=service.http, **variables).splitlines()
    assert printed[:2] == [f"{reward} {metadata_of(reward)}" for reward in (1.0, 0.0)]
    assert printed[2] == "[0.5, -0.5]"


def test_a_session_of_openrewards_client(service: Stack, tmp_path: Path) -> None:
    run("openreward", tmp_path, PROBES / "openreward_session.py", service.http, "right", GROUPED, "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    failed = found.pop("failed")
    assert "candidates[1]" in failed
    assert found.pop("scores") == pytest.approx([0.5, -0.5, 0.0])
    assert found == {
        "splits": ["train"],
        "count": len(TASKS),
        "tasks": [task["prompt"] for task in TASKS],
        "range": [len(TASKS) - 1],
        "task": TASKS[1]["prompt"],
        "groups": [False, True],
        "turn": ["user", TASKS[0]["prompt"]],
        "tools": ["answer"],
        "version": ["build_sha", "version"],
        "refused": ["not_found", "input_validation", "episode_finished"],
        "output": [1.0, True, metadata_of(1.0), "The answer was received."],
        "by header": 1.0,
        "numbers": [0, 1, 2],
        "again": [0.5, -0.5],
    }


STATE, STEP = '{"type": "state"}', '{"type": "step", "data": {"answer": "4"}}'
MESSAGES = [
    STATE,
    STEP,
    '{"type": "reset", "data": {"episode_id": "e", "split": "train", "index": 0}}',
    STATE,
    *("{", '{"type": "dance"}', '{"type": "step"}', '{"type": "step", "data": {"answer": 3}}', "{}"),
    '{"type": "mcp", "data": {"jsonrpc": "2.0", "method": "tools/list", "id": 1}}',
    STEP,
    STATE,
]
REQUESTS = [
    ("GET", "/right/splits", None),
    ("POST", "/right/tasks", {"split": "train"}),
    ("POST", "/right/num_tasks", {"split": "train"}),
    ("POST", "/right/task", {"split": "train", "index": 1}),
    ("POST", "/right/task_range", {"split": "train", "start": 0, "stop": 1}),
]

PLAY = """
import asyncio, json, sys
from websockets.asyncio.client import connect

async def main(url, asked, out):
    async with connect(url) as ws:
        answers = []
        for message in json.load(open(asked))["messages"]:
            await ws.send(message)
            answers.append(json.loads(await ws.recv()))
    json.dump(answers, open(out, "w"))

asyncio.run(main(*sys.argv[1:]))
"""


def test_it_answers_as_openenvs_own_server(service: Stack, tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    (tmp_path / "asked.json").write_text(json.dumps({"messages": MESSAGES, "requests": REQUESTS}))
    run("openenv", tmp_path, PROBES / "openenv_server.py", "tasks.jsonl", "asked.json", "theirs.json")
    theirs = json.loads((tmp_path / "theirs.json").read_text())

    (tmp_path / "play.py").write_text(PLAY)
    url = f"ws{service.http.removeprefix('http')}/r/right/ws"
    run("openenv", tmp_path, tmp_path / "play.py", url, "asked.json", "ours.json")
    for message, own, ours in zip(
        MESSAGES, theirs["messages"], json.loads((tmp_path / "ours.json").read_text()), strict=True
    ):
        assert comparable(ours) == comparable(own), message
    for (method, path, body), own in zip(REQUESTS, theirs["requests"], strict=True):
        answer = httpx.request(method, service.http + path, json=body).raise_for_status().json()
        if isinstance(answer, dict) and "env_name" not in own:
            answer.pop("env_name", None)  # OpenReward's clients want it beside a task, too
        assert answer == own, path


def comparable(frame: dict[str, Any]) -> Any:
    """A frame without what is said in words of one's own, and without fields that are empty."""
    data = frame["data"]
    if frame["type"] == "error":
        return frame["type"], data["code"]
    if frame["type"] == "mcp":
        return frame["type"], {name: data.get(name) for name in ("jsonrpc", "id")}, data["error"]["code"]
    return frame["type"], without_empty(data)


def without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    cleaned = {name: without_empty(held) for name, held in value.items()}
    return {name: held for name, held in cleaned.items() if held not in (None, {})}
