"""OpenEnv, over a WebSocket and over HTTP: reset gives a task, step grades the answer and ends the episode.

Over HTTP an episode is a session of its caller, known by the ``episode_id`` of the observation; over a WebSocket it
belongs to the connection and ends with it. A sample that cannot be scored has the reward null and the reason in its
metadata; what fails for the server's cause is an error, and the episode stays open.
"""

import random
import secrets
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import Conflict
from reward_gateway.scoring.failure_policy import make_error

from ..call import WEBSOCKET
from ..dependencies import dependencies_of
from ..openapi import parameter
from ..websocket import session_of
from .dialect import Dialect
from .environments import EnvironmentTask, accept_task, answer_task, choose_task, count_tasks, open_task, tasks_of
from .episodes import Episode, Episodes, StoredEpisodes, WebSocketEpisodes
from .error_formats import FASTAPI, OPENENV_MESSAGE
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

MESSAGE_DEADLINE_S = 50.0
"""A message is answered before its client gives it up, which it does after 60 s. Old clients (openenv-core 0.3) then
take a late answer for that to their next message."""

MCP_REFUSED = {"code": -32603, "message": "this environment has no MCP tools: send reset, then step with the answer"}
"""JSON-RPC's internal error, which OpenEnv's server answers for an environment without tools."""


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
    """How far an episode is; without an id there is none yet."""

    episode_id: str | None
    step_count: int


class Schemas(Struct):
    """JSON Schemas of actions, observations and states."""

    action: dict[str, Any]
    observation: dict[str, Any]
    state: dict[str, Any]


class ResetMessage(Struct, tag="reset"):
    """Begin an episode."""

    data: ResetRequest | None = None


class StepMessage(Struct, tag="step"):
    """Answer the task."""

    data: Action


class StateMessage(Struct, tag="state"):
    """Ask how far the episode is."""


class CloseMessage(Struct, tag="close"):
    """Close the WebSocket."""


class McpMessage(Struct, tag="mcp"):
    """A request of JSON-RPC to the tools of an environment, of which this one has none."""

    data: dict[str, Any] | None = None


Message = ResetMessage | StepMessage | StateMessage | CloseMessage | McpMessage


@dialect.post("/reset", body=ResetRequest, answer=StepResult, example={"seed": 42})
async def reset(request: DialectRequest, body: ResetRequest) -> Any:
    """Begin an episode: its task's prompt."""
    task = _choose(request, body)
    found = open_task(tasks_of(request.http_request), task)
    episode = Episode(task, name=body.episode_id or secrets.token_hex(16))
    await _episodes(request).begin(episode)
    observation: dict[str, Any] = {"episode_id": episode.name, "prompt": msgspec.to_builtins(found.prompt)}
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
    episodes = _episodes(request)
    episode = await episodes.find(given)
    task = episode.task
    if episode.answered:
        raise Conflict("the task of this episode has been answered; reset begins a new one")
    scores = await request.score([answer_task(tasks_of(request.http_request), task, body.action.answer)], task.reward)
    failed = scores.failed.get(0)
    if failed is not None and failed.server_caused:
        raise make_error(failed)
    await episodes.end(msgspec.structs.replace(episode, answered=True))
    metadata: dict[str, Any] = {"components": scores.component_row(0), "verdicts": scores.verdict_row(0)}
    if failed is not None:
        metadata = {"error": {"code": failed.code, "message": failed.message}}
    reward = None if failed is not None else scores.numbers()[0]
    # Twice, as OpenEnv's server has it: openenv-core 0.3 reads the observation alone, openenv 0.10 also the other.
    observation = {"episode_id": episode.name, "metadata": metadata}
    return {"observation": observation, "reward": reward, "done": True, "metadata": metadata}


@dialect.get("/state", answer=State, parameters=(parameter("episode_id", "query", "The episode."),))
async def state(request: Request) -> Any:
    """How far an episode is."""
    episodes = _episodes(DialectRequest(request, dialect.policy, 0))
    return _describe_state(await episodes.find(request.query_params.get("episode_id")))


def _describe_state(episode: Episode) -> dict[str, Any]:
    return {"episode_id": episode.name, "step_count": int(episode.answered)}


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


@dialect.websocket("/ws", body=Message, error_format=OPENENV_MESSAGE, deadline_s=MESSAGE_DEADLINE_S)
async def answer_message(request: DialectRequest, message: Message) -> Any:
    """A WebSocket on which one episode after the other is played.

    Messages are JSON, answered in their order: `{"type": "reset", "data": {…}}` with what `POST /reset` takes and
    `{"type": "step", "data": {"answer": …}}` by `{"type": "observation", "data": {"observation", "reward", "done",
    "metadata"}}`, `{"type": "state"}` by `{"type": "state", "data": {"episode_id", "step_count"}}`, and `{"type":
    "close"}` by the end. What fails is answered `{"type": "error", "data": {"message", "code", "error"}}`. An episode
    ends with its WebSocket.
    """
    match message:
        case ResetMessage():
            return {"type": "observation", "data": await reset(request, message.data or ResetRequest())}
        case StepMessage():
            return {"type": "observation", "data": await step(request, StepRequest(message.data))}
        case StateMessage():
            episodes = _websocket_episodes(request)
            begun = _describe_state(await episodes.find(None)) if episodes.is_begun else None
            return {"type": "state", "data": begun or {"episode_id": None, "step_count": 0}}
        case CloseMessage():
            return Response(status_code=204)
        case McpMessage():
            number = (message.data or {}).get("id")
            answered = number if isinstance(number, str | int) else None
            return {"type": "mcp", "data": {"jsonrpc": "2.0", "id": answered, "error": MCP_REFUSED}}


def _episodes(request: DialectRequest) -> Episodes:
    """Where the episodes of a request are kept."""
    if WEBSOCKET in request.http_request.scope:
        return _websocket_episodes(request)
    dependencies = dependencies_of(request.http_request)
    return StoredEpisodes(request.sessions, dependencies.settings.max_sessions, dependencies.intake.limits)


def _websocket_episodes(request: DialectRequest) -> WebSocketEpisodes:
    return WebSocketEpisodes(session_of(request.http_request), dependencies_of(request.http_request).intake.limits)
