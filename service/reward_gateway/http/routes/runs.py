"""``/v1/runs``: the history of training runs: what the rewards of each were like over time and over its steps.

What scoring wrote for a run is elsewhere (``/v1/state``), and so is the queue of its jobs' results (:mod:`.jobs`).
"""

from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import InvalidRequest, NotSetUp
from reward_gateway.intake.run_name import LARGEST_STEP, PATTERN, agree_on_run
from reward_gateway.runs.history import DEFAULT_LIMIT, LARGEST_LIMIT, RunHistory
from reward_gateway.runs.loaded import Bucket
from reward_gateway.runs.store import RunName
from reward_gateway.traffic.keys import require_right
from reward_gateway.whole_numbers import parse_whole

from ..call import call_of
from ..dependencies import dependencies_of, json_response
from ..openapi import TENANT, describe, parameter
from ..ownership import owner_scope
from ..routing import raw_router
from ..wire.runs import RunForgotten, RunPage, RunReport

router = raw_router("runs")

_RUN = parameter(
    "run",
    "path",
    "The training run. Nothing (`/v1/runs/`) is the run of requests that named none.",
    {"type": "string", "pattern": PATTERN.replace("{1,", "{0,")},
)


@router.get(
    "/v1/runs",
    **describe(
        "List training runs",
        answer=RunPage,
        parameters=(
            parameter(
                "limit",
                "query",
                f"Runs on a page: {DEFAULT_LIMIT} if not given.",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT},
            ),
            parameter("cursor", "query", "Where the page begins: the `cursor` of the page before.", {"type": "string"}),
            TENANT,
        ),
    ),
)
async def list_runs(request: Request) -> Response:
    """Every run of the caller for which anything was scored, the one seen last first; with the right `admin`, those of
    all callers, unless `?tenant=` names one. Up to 1,000 runs per caller are kept.
    """
    limit = _number(request, "limit", DEFAULT_LIMIT, 1, LARGEST_LIMIT)
    owner = owner_scope(request).caller
    sees_all = call_of(request.scope).key.has_right("admin") and "tenant" not in request.query_params
    history = _history_of(request)
    heads, cursor = await history.list_page(
        None if sees_all else owner, request.query_params.get("cursor"), cast("int", limit)
    )
    runs = [{**head.describe(), "rewards": list(head.rewards)} for head in heads]
    return json_response({"runs": runs, "cursor": cursor, "shared": history.store.shared})


@router.get("/v1/runs/", include_in_schema=False)  # the run without a name
@router.get(
    "/v1/runs/{run}",
    **describe(
        "Show a training run",
        answer=RunReport,
        parameters=(
            _RUN,
            parameter(
                "bucket",
                "query",
                "What a row is of: a minute (kept for a day), an hour (thirty days), or a step that `X-Run-Step` named "
                "(the last 20,000). By default a minute.",
                {"type": "string", "enum": list(get_args(Bucket))},
            ),
            parameter(
                "after",
                "query",
                "Leave out rows whose `t` or `step` is not above it.",
                {"type": "integer", "minimum": -LARGEST_STEP, "maximum": LARGEST_STEP},
            ),
            TENANT,
        ),
    ),
)
async def show_run(request: Request) -> Response:
    """By recipe: mean and standard deviation of the reward (before the comparison within groups, as trainers log it),
    quantiles, each component, the share of groups whose rewards are all equal, invalid and flagged samples, the
    correlation with the length, and when the recipe's version changed.

    A request that is repeated under its `Idempotency-Key` counts once, and a job when it is scored. What other workers
    scored in the last five seconds may be missing; `shared: false`: there is no store of state, and these are the
    numbers of the worker that answers.
    """
    bucket = request.query_params.get("bucket", "minute")
    if bucket not in get_args(Bucket):
        raise InvalidRequest("bucket is minute, hour or step", param="bucket")
    after = _number(request, "after", None, -LARGEST_STEP, LARGEST_STEP)
    return json_response(await _history_of(request).read(_name_of(request), cast("Bucket", bucket), after))


@router.delete("/v1/runs/", include_in_schema=False)
@router.delete(
    "/v1/runs/{run}", **describe("Forget a training run", answer=RunForgotten, parameters=(_RUN, TENANT), right="state")
)
async def forget_run(request: Request) -> Response:
    """Remove the run's history; its state stays (`DELETE /v1/state`). Needs the right `state`. Requests that are being
    scored meanwhile begin it anew.
    """
    require_right(call_of(request.scope).key, "state")
    await _history_of(request).forget(_name_of(request))
    return json_response({"forgotten": True})


def _history_of(request: Request) -> RunHistory:
    runs = dependencies_of(request).runs
    if runs is None:
        raise NotSetUp("no history of runs is kept; set REWARD_GATEWAY_RUN_HISTORY_BYTES above 0")
    return runs


def _name_of(request: Request) -> RunName:
    run = request.path_params.get("run", "")
    return RunName(owner_scope(request).caller, agree_on_run([run]) if run else "")


def _number(request: Request, name: str, missing: Any, least: int, most: int) -> int | None:
    """A whole number of the query. Raises InvalidRequest unless it is within its bounds."""
    given = request.query_params.get(name)
    if given is None:
        return cast("int | None", missing)
    number = parse_whole(given.removeprefix("-"))
    value = None if number is None else -number if given.startswith("-") else number
    if value is None or not least <= value <= most:
        raise InvalidRequest(f"{name} is a whole number from {least} to {most}", param=name)
    return value
