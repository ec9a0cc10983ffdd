"""``/v1/jobs``: samples in, rewards later; ``/v1/runs/{run}/results``: the queue of what a run's jobs have answered."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from reward_gateway.errors import Draining
from reward_gateway.intake.run_name import PATTERN, agree_on_run
from reward_gateway.jobs.checks import (
    DEFAULT_RESULTS,
    DEFAULT_VISIBILITY_S,
    LARGEST_RESULTS,
    check_consumer,
    check_cursor,
    check_number,
)
from reward_gateway.jobs.request import Acknowledge, JobAccepted, JobAnswer, JobRequest, Removed, RunResults
from reward_gateway.jobs.results import write_queued
from reward_gateway.jobs.service import LONGEST_WAIT_S
from reward_gateway.state.jobs import LONGEST_VISIBILITY_S
from reward_gateway.traffic.drain import Drain

from ..call import call_of
from ..dependencies import dependencies_of, json_response, read_json, receive_json
from ..openapi import IDEMPOTENCY_KEY, RUN, RUN_STEP, describe, parameter
from ..routing import raw_router
from .score import EXAMPLE

router = raw_router("jobs")

EVENT_STREAM = "text/event-stream"

_JOB = parameter("job", "path", "The job, as its submission named it.")
_RUN_PATH = parameter("run", "path", "The training run.", {"type": "string", "pattern": PATTERN})
_WAIT = parameter(
    "wait_s",
    "query",
    "Seconds to wait for something new.",
    {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT_S},
)
_AFTER = parameter("after", "query", "The `cursor` of the page before: what came since.")


@router.post(
    "/v1/jobs",
    **describe(
        "Score samples later",
        status=202,
        body=JobRequest,
        answer=JobAccepted,
        example=EXAMPLE,
        parameters=(
            parameter("reward", "query", "Recipe, where body and path name none."),
            parameter("chat_format", "query", "As `options.chat_format`, which goes before it."),
            IDEMPOTENCY_KEY,
            RUN,
            RUN_STEP,
        ),
    ),
)
async def submit(request: Request) -> Response:
    """The body is that of `POST /v1/score`, checked here and now, and the answer comes before anything is scored. Read
    the results by `GET /v1/jobs/{job}`, or those of all jobs of a run, which `X-Run` names, from the run's queue.
    """
    deps, call, body = await receive_json(request)
    deps.jobs.check_open()
    submission = await deps.job_intake.read_submission(
        body, call.scope, call.arrived_at, address=call.recipe, chat_format=call.chat_format
    )
    accepted = await deps.jobs.submit(submission, call.scope, call.key.share, caller=call.key)
    response = json_response(accepted, 202)
    response.headers["location"] = f"/v1/jobs/{accepted['job']}"
    return response


@router.get("/v1/jobs/{job}", **describe("Read a job", answer=JobAnswer, parameters=(_JOB, _WAIT, _AFTER)))
async def read(request: Request) -> Response:
    """The job, and its results since a cursor, in the order of their completion; as soon as anything is new, or after
    `wait_s`. Each has its `index` in the body that was submitted.
    """
    scope, deps = call_of(request.scope).scope, dependencies_of(request)
    wait_s = _number(request, "wait_s", 0.0, 0.0, LONGEST_WAIT_S)
    reading = deps.jobs.read(scope, request.path_params["job"], _cursor(request), wait_s)
    return json_response(await deps.traffic.drain.unless_begun(reading))


@router.get(
    "/v1/jobs/{job}/events",
    **describe("Follow a job", answer=JobAnswer, answer_type=EVENT_STREAM, parameters=(_JOB, _AFTER)),
)
async def follow(request: Request) -> Response:
    """The pages of `GET /v1/jobs/{job}` as server-sent events, until the job's end. `Last-Event-ID` goes on where an
    earlier stream stopped.
    """
    scope, deps = call_of(request.scope).scope, dependencies_of(request)
    job, jobs = request.path_params["job"], deps.jobs
    after = request.headers.get("last-event-id") or _cursor(request)
    first = await jobs.read(scope, job, check_cursor(after))
    return StreamingResponse(
        _encode_events(deps.traffic.drain, first, jobs.follow(scope, job, first["cursor"])),
        media_type=EVENT_STREAM,
        headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
    )


@router.delete("/v1/jobs/{job}", **describe("Cancel a job", answer=JobAnswer, parameters=(_JOB,)))
async def cancel(request: Request) -> Response:
    """What no model was asked about is dropped; samples that have no result answer `cancelled`."""
    scope, jobs = call_of(request.scope).scope, dependencies_of(request).jobs
    return json_response(await jobs.cancel(scope, request.path_params["job"]))


@router.get(
    "/v1/runs/{run}/results",
    **describe(
        "Take results of a run",
        answer=RunResults,
        parameters=(
            _RUN_PATH,
            _WAIT,
            parameter(
                "max",
                "query",
                f"Results to take, about: {DEFAULT_RESULTS} if not given; a group is not torn apart.",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_RESULTS},
            ),
            parameter("consumer", "query", "Who takes them: a name of up to 64 characters.", {"type": "string"}),
            parameter(
                "visibility_s",
                "query",
                "Seconds after which they are handed out again, unless they were acknowledged: 60 if not given.",
                {"type": "number", "minimum": 1, "maximum": LONGEST_VISIBILITY_S},
            ),
        ),
    ),
)
async def take_results(request: Request) -> Response:
    """Results of all jobs of the run, in the order of their completion, each to one consumer. They come again after
    `visibility_s` unless their receipts are acknowledged, so that a result may come twice: drop repeats by `job` and
    `index`.
    """
    scope, deps = call_of(request.scope).scope, dependencies_of(request)
    consumer = check_consumer(request.query_params.get("consumer", "consumer"))
    most = int(_number(request, "max", DEFAULT_RESULTS, 1, LARGEST_RESULTS))
    visibility_s = _number(request, "visibility_s", DEFAULT_VISIBILITY_S, 1.0, LONGEST_VISIBILITY_S)
    wait_s = _number(request, "wait_s", 0.0, 0.0, LONGEST_WAIT_S)
    taking = deps.jobs.take_results(scope, _run(request), consumer, most, visibility_s, wait_s)
    rows = write_queued(await deps.traffic.drain.unless_begun(taking))
    return json_response(b'{"results":[%b]}' % b",".join(rows))


@router.post(
    "/v1/runs/{run}/results:ack",
    **describe("Acknowledge results of a run", body=Acknowledge, answer=Removed, parameters=(_RUN_PATH,)),
)
async def acknowledge(request: Request) -> Response:
    """Results that were received are removed, from the queue and from their jobs. A receipt that is out of date
    acknowledges, too."""
    body = await read_json(request, Acknowledge)
    scope, jobs = call_of(request.scope).scope, dependencies_of(request).jobs
    return json_response(await jobs.acknowledge(scope, _run(request), body.receipts))


@router.delete(
    "/v1/runs/{run}/results", **describe("Empty the queue of a run", answer=Removed, parameters=(_RUN_PATH,))
)
async def empty(request: Request) -> Response:
    """All results that wait in the queue are removed; the jobs keep theirs."""
    scope, jobs = call_of(request.scope).scope, dependencies_of(request).jobs
    return json_response(await jobs.empty(scope, _run(request)))


async def _encode_events(
    drain: Drain, first: dict[str, Any], pages: AsyncIterator[dict[str, Any]]
) -> AsyncIterator[bytes]:
    """The events of pages; they end early where the gateway shuts down, and clients go on with another one."""
    yield _encode_event(first)
    with suppress(Draining):
        while (page := await drain.unless_begun(anext(pages, None))) is not None:
            yield _encode_event(page) if page["results"] or "usage" in page else b": waiting\n\n"


def _encode_event(page: dict[str, Any]) -> bytes:
    name = b"end" if "usage" in page and not page["results"] else b"results"
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (page["cursor"].encode(), name, orjson.dumps(page))


def _run(request: Request) -> str:
    return agree_on_run([request.path_params["run"]])


def _cursor(request: Request) -> str:
    return check_cursor(request.query_params.get("after", ""))


def _number(request: Request, name: str, missing: float, least: float, most: float) -> float:
    """A number of the query. Raises InvalidRequest unless it is within its bounds."""
    given = request.query_params.get(name)
    if given is None:
        return missing
    try:
        value = float(given) if len(given) <= 20 else most + 1
    except ValueError:
        value = most + 1
    return check_number(name, value, least, most)
