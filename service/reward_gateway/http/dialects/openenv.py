"""OpenEnv over HTTP: ``POST /reset`` gives a task, ``POST /step`` grades the answer and ends the episode.

An episode is a session of its caller, known by the ``episode_id`` of the observation. A sample that cannot be scored
has the reward null and the reason in its metadata; what fails for the server's cause is an HTTP error.
"""

import random
import secrets
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request

from reward_gateway.errors import Conflict, InvalidRequest, ModelUnavailable, NotFound, RateLimited

from ..dependencies import dependencies_of
from ..openapi import parameter
from .dialect import Dialect
from .environments import (
    SESSION_S,
    EnvironmentTask,
    accept_task,
    answer_task,
    choose_task,
    count_tasks,
    open_task,
    tasks_of,
)
from .error_formats import FASTAPI
from .policy import Policy
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="openenv",
        title="OpenEnv",
        clients=("OpenEnv",),
        prefix="openenv",
        on_invalid="null",
        error_format=FASTAPI,
    )
)
router = dialect.router

TRAIN = "train"


class Episode(Struct, omit_defaults=True):
    """An episode in the store: its task, and whether it has been answered."""

    task: EnvironmentTask | None = None
    answered: bool = False


class ResetRequest(Struct):
    """Which task: a place of the task file, a task of the client's own, or any one, chosen by ``seed``."""

    seed: int | None = None
    episode_id: str | None = None
    split: str | None = None
    index: int | None = None
    task: dict[str, Any] | None = None


class Action(Struct):
    """The answer to the task."""

    answer: str
    metadata: dict[str, Any] | None = None


class StepRequest(Struct):
    """An answer, and the episode that it belongs to."""

    action: Action
    episode_id: str | None = None


class StepResult(Struct):
    """An observation with its reward; null where there is none."""

    observation: dict[str, Any]
    reward: float | None
    done: bool
    metadata: dict[str, Any] | None


class State(Struct):
    """How far an episode is."""

    episode_id: str
    step_count: int


class Schemas(Struct):
    """JSON Schemas of actions, observations and states."""

    action: dict[str, Any]
    observation: dict[str, Any]
    state: dict[str, Any]


@dialect.post("/reset", body=ResetRequest, answer=StepResult, example={"seed": 42})
async def reset(request: DialectRequest, body: ResetRequest) -> Any:
    """Begin an episode: its task's prompt."""
    settings = dependencies_of(request.http_request).settings
    task = _choose(request, body)
    name = body.episode_id or secrets.token_hex(16)
    dependencies_of(request.http_request).intake.limits.name(len(name), "episode_id")
    await request.sessions.close(_key(name))
    opened = await request.sessions.open(
        _key(name), msgspec.to_builtins(Episode(task)), SESSION_S, settings.max_sessions
    )
    if opened == "full":
        raise RateLimited(f"{settings.max_sessions} sessions are open: wait until one is over")
    found = open_task(tasks_of(request.http_request), task)
    observation: dict[str, Any] = {"episode_id": name, "prompt": msgspec.to_builtins(found.prompt)}
    if task.brought is None:
        observation |= {"split": task.split, "index": task.index}
    return {"observation": observation, "reward": None, "done": False, "metadata": None}


def _choose(request: DialectRequest, body: ResetRequest) -> EnvironmentTask:
    plan, tasks = request.plan(), tasks_of(request.http_request)
    if body.task is not None:
        most = dependencies_of(request.http_request).settings.max_text_chars
        return accept_task(tasks, plan, body.task, most)
    splits = tasks.list_splits(plan.name)
    if not splits:
        raise Conflict("there are no tasks of this recipe: send a task, or name a file with the setting tasks_file")
    split = body.split or (TRAIN if TRAIN in splits else splits[0])
    count = count_tasks(tasks, plan, split)
    if body.index is not None:
        return choose_task(tasks, plan, split, body.index)
    chosen = secrets.randbelow(count) if body.seed is None else random.Random(body.seed).randrange(count)
    return choose_task(tasks, plan, split, chosen)


@dialect.post(
    "/step", body=StepRequest, answer=StepResult, example={"action": {"answer": "4"}, "episode_id": "episode-001"}
)
async def step(request: DialectRequest, body: StepRequest) -> Any:
    """Grade the answer, which ends the episode."""
    given = body.episode_id or (body.action.metadata or {}).get("episode_id")
    name, episode, task = await _open(request, given)
    if episode.answered:
        raise Conflict("the task of this episode has been answered; reset begins a new one")
    scores = await request.score([answer_task(tasks_of(request.http_request), task, body.action.answer)], task.reward)
    failed = scores.failed.get(0)
    if failed is not None and failed.server_caused:
        raise ModelUnavailable(failed.message)
    await request.sessions.replace(_key(name), msgspec.to_builtins(Episode(task, answered=True)), SESSION_S)
    metadata: dict[str, Any] = {"components": scores.component_row(0)}
    if failed is not None:
        metadata = {"error": {"code": failed.code, "message": failed.message}}
    reward = None if failed is not None else scores.numbers()[0]
    return {"observation": {"episode_id": name}, "reward": reward, "done": True, "metadata": metadata}


@dialect.get("/state", answer=State, parameters=(parameter("episode_id", "query", "The episode."),))
async def state(request: Request) -> Any:
    """How far an episode is."""
    dialect_request = DialectRequest(request, dialect.policy, 0)
    name, episode, _ = await _open(dialect_request, request.query_params.get("episode_id"))
    return {"episode_id": name, "step_count": int(episode.answered)}


@dialect.get("/schema", answer=Schemas)
async def schema(request: Request) -> Any:
    """What an action, an observation and a state look like."""
    text = {"type": "string"}
    action = {"type": "object", "properties": {"answer": text}, "required": ["answer"]}
    observation = {"type": "object", "properties": {"episode_id": text, "prompt": {"type": ["string", "array"]}}}
    step_count = {"type": "integer"}
    return {
        "action": action,
        "observation": observation,
        "state": {"type": "object", "properties": {"episode_id": text, "step_count": step_count}},
    }


async def _open(request: DialectRequest, name: Any) -> tuple[str, Episode, EnvironmentTask]:
    """An open episode. Raises InvalidRequest without a name, and NotFound if it is over or another caller's."""
    if not isinstance(name, str) or not name:
        raise InvalidRequest("episode_id: missing field; reset gives it", param="episode_id")
    dependencies_of(request.http_request).intake.limits.name(len(name), "episode_id")
    episode = msgspec.convert(await request.sessions.read(_key(name)) or {}, Episode)
    if episode.task is None:
        raise NotFound("there is no episode of this id; it is over, or was never begun", param="episode_id")
    return name, episode, episode.task


def _key(name: str) -> str:
    return f"openenv:{name}"
