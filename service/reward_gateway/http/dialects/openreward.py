"""OpenReward's clients, which speak the Open Reward Standard: a recipe is an environment whose one tool is ``answer``.

A session holds one task, of the task file or of the client's own, and is answered once. A sample that cannot be scored
has the reward null and the reason in its metadata. A group cannot carry null: ``score_group`` then ends its stream with
an error. What fails for the server's cause is an HTTP error, which the clients repeat.
"""

import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway import __version__
from reward_gateway.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    RateLimited,
)
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample.fields import SampleItem
from reward_gateway.scoring.failure_policy import make_error

from ..call import call_of
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
    describe_task,
    name_splits,
    open_task,
    tasks_of,
)
from .error_formats import FASTAPI
from .event_stream import EVENT_STREAM, encode_event, finished_stream, stream_task
from .openreward_blocks import ANSWER, BLOCK_TYPES, Turn, read_candidate, text_block, write_turns
from .policy import Policy
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="openreward",
        title="OpenReward (Open Reward Standard)",
        clients=("OpenReward", "OpenEnv's task API"),
        prefix="openreward",
        on_invalid="null",
        error_format=FASTAPI,
    )
)
router = dialect.router

SESSION_ID = "x-session-id"
DEPLOYMENT = "x-deployment"
"""The environment that a client names where its paths name none."""

TASK_ID_CHARS = 64

_ENVIRONMENT = parameter("environment", "path", "Name of a recipe.")
_SESSION = parameter("X-Session-ID", "header", "The session, from /create_session.")


class Session(Struct, omit_defaults=True):
    """A session in the store: its task, and which call has answered it."""

    task: EnvironmentTask | None = None
    answered_by: str = ""


class CreateEnvironment(Struct):
    """The task of a session: one of the file by its place, or one that the client was shown or brings."""

    env_name: str | None = None
    task_spec: dict[str, Any] | None = None
    split: str | None = None
    index: int | None = None


class SplitRequest(Struct):
    """A split of the task file."""

    split: str


class TaskRequest(Struct):
    """A task of a split."""

    split: str
    index: int


class TaskRangeRequest(Struct):
    """The tasks from ``start`` to before ``stop``; negative numbers count from the end, as in Python."""

    split: str
    start: int | None = None
    stop: int | None = None


class ToolCall(Struct):
    """A call of the tool. ``task_id`` is that of a stream that broke off."""

    name: str
    input: dict[str, Any] = {}
    task_id: str | None = None


class Candidate(Struct):
    """A rollout of a group; its metadata comes back with its score."""

    messages: list[Turn]
    metadata: dict[str, Any] | None = None


class ScoreGroup(Struct):
    """The rollouts of one task, which are compared with each other."""

    candidates: list[Candidate]
    task_id: str | None = None


class Tools(Struct):
    """What a policy may call."""

    tools: list[dict[str, Any]]
    terminal_tool: None
    supports_score_group: bool
    message_block_types: list[str]


# What there is


@dialect.get("/list_environments", answer=list[str])
async def list_environments(request: Request) -> Any:
    """The recipes that give one number, the default one first."""
    book = dependencies_of(request).gateway.book
    names = [plan.name for plan in book if plan.returns == "scalar"]
    return sorted(names, key=lambda name: name != book.default)


@dialect.get("/version", answer=dict[str, str | None])
async def version(request: Request) -> Any:
    """The gateway's version."""
    return {"version": __version__, "build_sha": None}


def _serve(method: Callable[..., Any], path: str, **described: Any) -> Callable[[Any], Any]:
    """Register a handler under the path of an environment, and under the bare one, which means the default."""

    def register(handler: Any) -> Any:
        named = tuple(described.pop("parameters", ()))
        method(f"/{{environment}}{path}", parameters=(_ENVIRONMENT, *named), **described)(handler)
        return method(path, parameters=named, **described)(handler)

    return register


def _plan(request: DialectRequest, name: str | None = None) -> Plan:
    """The environment of a request: that of its path, else of the address, else of its header, else the default."""
    headers = request.http_request.headers
    deployment = headers[DEPLOYMENT].rpartition("/")[2] if DEPLOYMENT in headers else None
    return request.plan(request.http_request.path_params.get("environment", name), deployment)


def _of(request: Request) -> DialectRequest:
    return DialectRequest(request, dialect.policy, 0)


@_serve(dialect.get, "/tools", answer=Tools)
async def tools(request: Request) -> Any:
    """The only tool, and whether rollouts of a task can be compared as a group."""
    return _describe_tools(_plan(_of(request)))


def _describe_tools(plan: Plan) -> dict[str, Any]:
    text = {"type": "string", "description": "The answer to the task."}
    schema = {"type": "object", "properties": {ANSWER: text}, "required": [ANSWER]}
    tool = {"name": ANSWER, "description": "Answer the task. It is graded once.", "input_schema": schema}
    return {
        "tools": [tool],
        "terminal_tool": None,
        "supports_score_group": plan.grouped,
        "message_block_types": list(BLOCK_TYPES),
    }


@_serve(dialect.get, "/splits", answer=list[dict[str, str]])
async def splits(request: Request) -> Any:
    """The splits of the task file in which the recipe has tasks."""
    return name_splits(tasks_of(request), _plan(_of(request)))


@_serve(dialect.post, "/tasks", body=SplitRequest, answer=dict[str, Any], example={"split": "train"})
async def list_tasks(request: DialectRequest, body: SplitRequest) -> Any:
    """All tasks of a split, if they are no more than a request may have samples."""
    return _list_range(request, TaskRangeRequest(body.split))


@_serve(dialect.post, "/task_range", body=TaskRangeRequest, answer=dict[str, Any], example={"split": "train"})
async def task_range(request: DialectRequest, body: TaskRangeRequest) -> Any:
    """Some tasks of a split, as Python's slices choose them."""
    return _list_range(request, body)


def _list_range(request: DialectRequest, body: TaskRangeRequest) -> dict[str, Any]:
    plan, tasks = _plan(request), tasks_of(request.http_request)
    places = range(count_tasks(tasks, plan, body.split))[body.start : body.stop]
    most = dependencies_of(request.http_request).settings.max_samples
    if len(places) > most:
        raise InvalidRequest(f"{len(places)} tasks are over the limit of {most}: ask for a range of them, or for one")
    return {"tasks": [describe_task(tasks, plan, body.split, i) for i in places], "env_name": plan.name}


@_serve(dialect.post, "/num_tasks", body=SplitRequest, answer=dict[str, int], example={"split": "train"})
async def num_tasks(request: DialectRequest, body: SplitRequest) -> Any:
    """The number of tasks of a split."""
    return {"num_tasks": count_tasks(tasks_of(request.http_request), _plan(request), body.split)}


@_serve(dialect.post, "/task", body=TaskRequest, answer=dict[str, Any], example={"split": "train", "index": 0})
async def get_task(request: DialectRequest, body: TaskRequest) -> Any:
    """One task of a split."""
    plan, tasks = _plan(request), tasks_of(request.http_request)
    count_tasks(tasks, plan, body.split)
    return {"task": describe_task(tasks, plan, body.split, body.index), "env_name": plan.name}


# Sessions


# Clients send some requests without a body, and then without its content type.


@dialect.post_bytes("/create_session", answer_type=EVENT_STREAM)
async def create_session(request: DialectRequest, body: bytes) -> Response:
    """The id of a new session, as a stream of events. The session gets its task by /create."""
    return finished_stream([encode_event("task_id", secrets.token_hex(16)), encode_event("end", "")])


@dialect.post(
    "/create",
    body=CreateEnvironment,
    answer=dict[str, str],
    parameters=(_SESSION,),
    example={"env_name": "math", "split": "train", "index": 0},
)
async def create(request: DialectRequest, body: CreateEnvironment) -> Any:
    """Give a session its task."""
    name = _session_name(request.http_request)
    plan, tasks = _plan(request, body.env_name), tasks_of(request.http_request)
    settings = dependencies_of(request.http_request).settings
    if body.task_spec is not None:
        task = accept_task(tasks, plan, body.task_spec, settings.max_text_chars)
    elif body.split is not None and body.index is not None:
        task = choose_task(tasks, plan, body.split, body.index)
    else:
        raise InvalidRequest("expected task_spec, or split and index")
    session = msgspec.to_builtins(Session(task))
    match await request.sessions.open(name, session, SESSION_S, settings.max_sessions):
        case "exists":
            raise Conflict("there is a session of this id")
        case "full":
            raise RateLimited(f"{settings.max_sessions} sessions are open: delete one, or wait until one is over")
    return {"sid": name}


@dialect.post_bytes("/delete", answer=dict[str, str], parameters=(_SESSION,))
async def delete(request: DialectRequest, body: bytes) -> Any:
    """End a session."""
    name = _session_name(request.http_request)
    await request.sessions.close(name)
    return {"sid": name}


@dialect.post_bytes("/delete_session", answer=dict[str, str], parameters=(_SESSION,))
async def delete_session(request: DialectRequest, body: bytes) -> Any:
    """End a session, whether or not it has a task."""
    return await delete(request, body)


@dialect.get("/ping", answer=dict[str, str], parameters=(_SESSION,))
async def ping_session(request: Request) -> Any:
    """Keep a session alive; without one, say that the gateway is."""
    if SESSION_ID in request.headers:
        await _open_session(_of(request))
    return {"status": "ok"}


@dialect.post_bytes("/ping", answer=dict[str, str], parameters=(_SESSION,))
async def ping(request: DialectRequest, body: bytes) -> Any:
    """Keep a session alive."""
    await _open_session(request)
    return {"status": "ok"}


def _session_name(request: Request) -> str:
    name = request.headers.get(SESSION_ID, "").strip()
    if not name:
        raise InvalidRequest("X-Session-ID: missing header", param="X-Session-ID")
    dependencies_of(request).intake.limits.name(len(name), "X-Session-ID")
    return name


async def _open_session(request: DialectRequest) -> tuple[str, Session, EnvironmentTask]:
    """The session of a request, which then lives on. Raises NotFound if it is over or another caller's."""
    name = _session_name(request.http_request)
    held = await request.sessions.read(name)
    session = msgspec.convert(held or {}, Session)
    if session.task is None or not await request.sessions.touch(name, SESSION_S):
        raise NotFound("there is no session of this id; it is over, or /create has not given it a task")
    return name, session, session.task


@_serve(dialect.get, "/task_tools", answer=Tools, parameters=(_SESSION,))
async def task_tools(request: Request) -> Any:
    """The tools of a session's environment."""
    _, _, task = await _open_session(_of(request))
    return _describe_tools(_of(request).plan(task.reward))


@_serve(dialect.get, "/prompt", answer=list[dict[str, Any]], parameters=(_SESSION,))
async def prompt(request: Request) -> Any:
    """The prompt of a session's task, as blocks."""
    return [block for turn in await _write_prompt(request) for block in turn["blocks"]]


@_serve(dialect.get, "/messages", answer=list[dict[str, Any]], parameters=(_SESSION,))
async def messages(request: Request) -> Any:
    """The prompt of a session's task, as turns."""
    return await _write_prompt(request)


async def _write_prompt(request: Request) -> list[dict[str, Any]]:
    _, _, task = await _open_session(_of(request))
    return write_turns(open_task(tasks_of(request), task).prompt)


# Rewards


@_serve(
    dialect.post,
    "/call",
    body=ToolCall,
    answer=dict[str, Any],
    streams=True,
    parameters=(_SESSION,),
    example={"name": ANSWER, "input": {ANSWER: "4"}},
)
async def call(request: DialectRequest, body: ToolCall) -> Response:
    """The reward of an answer, as a stream of events whose end is ``{"ok", "output"}``."""
    name, session, task = await _open_session(request)
    task_id = _resume(request, body.task_id)
    return await stream_task(task_id, _call_tool(request, body, name, session, task, task_id))


async def _call_tool(
    request: DialectRequest, body: ToolCall, name: str, session: Session, task: EnvironmentTask, task_id: str
) -> dict[str, Any]:
    if body.name != ANSWER:
        return _refuse_call("not_found", f"there is no tool of this name; there is {ANSWER}")
    if not isinstance(text := body.input.get(ANSWER), str) or len(body.input) > 1:
        return _refuse_call("input_validation", f"{ANSWER}: expected a text, and nothing else")
    if session.answered_by not in ("", task_id):
        return _refuse_call("episode_finished", "the task has been answered")
    scores = await request.score([answer_task(tasks_of(request.http_request), task, text)], task.reward)
    failed = scores.failed.get(0)
    if failed is not None and failed.server_caused:
        raise make_error(failed)
    session.answered_by = task_id
    await request.sessions.replace(name, msgspec.to_builtins(session), SESSION_S)
    metadata: dict[str, Any] = {"components": scores.component_row(0), "verdicts": scores.verdict_row(0)}
    if failed is not None:
        metadata = {"error": {"code": failed.code, "message": failed.message}}
    reward = None if failed is not None else scores.numbers()[0]
    output = {"blocks": [text_block("The answer was received.")], "metadata": metadata, "reward": reward}
    return {"ok": True, "output": {**output, "finished": True}}


def _refuse_call(reason: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": message, "reason": reason}


@_serve(
    dialect.post,
    "/score_group",
    body=ScoreGroup,
    answer=dict[str, Any],
    streams=True,
    parameters=(_SESSION,),
    example={"candidates": [{"messages": [{"role": "assistant", "blocks": [{"type": "text", "text": "4"}]}]}]},
)
async def score_group(request: DialectRequest, body: ScoreGroup) -> Response:
    """The rewards of a task's rollouts, compared with each other, as a stream of events."""
    _, _, task = await _open_session(request)
    task_id = _resume(request, body.task_id)
    responses = [read_candidate(each.messages, f"candidates[{i}].messages") for i, each in enumerate(body.candidates)]
    samples = [answer_task(tasks_of(request.http_request), task, response) for response in responses]
    for sample in samples:
        sample.group = f"openreward:{task_id}"  # no other call shares it, not even one of a cohort
    return await stream_task(task_id, _score_candidates(request, body, samples, task))


async def _score_candidates(
    request: DialectRequest, body: ScoreGroup, samples: list[SampleItem], task: EnvironmentTask
) -> dict[str, Any]:
    if not samples:
        return {"scores": []}
    scores = await request.score(samples, task.reward)
    # A candidate that is left alone, because the others have no score, is the consequence and not the cause.
    for i, failed in sorted(scores.failed.items(), key=lambda found: (found[1].code == "group_of_one", found[0])):
        message = f"candidates[{i}]: {failed.message}"
        raise make_error(failed, message, retry_after_s=failed.retry_after_s)
    pairs = zip(scores.numbers(), body.candidates, strict=True)
    return {"scores": [{"reward": reward, "metadata": candidate.metadata} for reward, candidate in pairs]}


def _resume(request: DialectRequest, task_id: str | None) -> str:
    """The id of a stream. A client whose stream broke off asks again with its id: the answer then counts once."""
    if task_id is not None and not (task_id.isalnum() and task_id.isascii() and len(task_id) <= TASK_ID_CHARS):
        raise InvalidRequest("task_id: expected that of an earlier stream", param="task_id")
    http_call = call_of(request.http_request.scope)
    resumed = task_id or secrets.token_hex(16)
    http_call.idempotency_key = http_call.idempotency_key or f"openreward:{resumed}"
    return resumed
