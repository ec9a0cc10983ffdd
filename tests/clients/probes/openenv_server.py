"""What OpenEnv's own server answers, for an environment like ours: tasks of a file, one answer each.

    python openenv_server.py TASKS.jsonl ASKED.json ANSWERED.json

ASKED holds messages for its WebSocket, and requests (method, path, body) for its task API.
"""

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from openenv.core.env_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State
from starlette.testclient import TestClient


class Answer(Action):
    answer: str


class Question(Observation):
    episode_id: str
    prompt: str | None = None
    split: str | None = None
    index: int | None = None


class Answering(Environment[Answer, Question, State]):
    """A task of the file, answered once."""

    tasks: ClassVar[list[dict[str, Any]]] = []

    def __init__(self) -> None:
        super().__init__()
        self._state = State()
        self._index = 0

    def reset(self, seed: Any = None, episode_id: Any = None, split: str = "train", index: int = 0) -> Question:
        self._index = index
        self._state = State(episode_id=episode_id or "chosen")
        prompt = self.get_task(split, index)["prompt"]
        return Question(episode_id=self._state.episode_id, prompt=prompt, split=split, index=index)

    def step(self, action: Answer, timeout_s: Any = None) -> Question:
        if self._state.episode_id is None:
            raise RuntimeError("there is no episode yet")
        self._state.step_count += 1
        reward = float(action.answer == self.tasks[self._index]["reference"])
        verdicts = {"answer/matched": 0.0, "answer/unfinished_reasoning": 0.0}
        metadata = {"components": {"answer": reward}, "verdicts": verdicts}
        return Question(episode_id=self._state.episode_id, reward=reward, done=True, metadata=metadata)

    @property
    def state(self) -> State:
        return self._state

    def list_splits(self) -> list[str]:
        return ["train"]

    def list_tasks(self, split: str) -> list[Any]:
        return self.get_task_range(split)

    def num_tasks(self, split: str) -> int:
        return len(self.tasks)

    def get_task(self, split: str, index: int) -> Any:
        return {"split": split, "index": index, "prompt": self.tasks[index]["prompt"]}

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[Any]:
        return [self.get_task(split, i) for i in range(len(self.tasks))[start:stop]]


def main(tasks: str, asked: str, answered: str) -> None:
    Answering.tasks = [json.loads(line) for line in Path(tasks).read_text().splitlines()]
    wanted = json.loads(Path(asked).read_text())
    app = create_app(Answering, Answer, Question, env_name="right")
    answers: dict[str, list[Any]] = {"messages": [], "requests": []}
    with TestClient(app) as client, client.websocket_connect("/ws") as ws:
        for message in wanted["messages"]:
            ws.send_text(message)
            answers["messages"].append(json.loads(ws.receive_text()))
        for method, path, body in wanted["requests"]:
            answers["requests"].append(client.request(method, path, json=body).json())
    Path(answered).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
