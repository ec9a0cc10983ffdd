"""``/v1/state/…``: everything that outlives a request, by kind and name; ``/v1/references/…``: one kind, made easy."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.admin.references import put_references
from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.request import SampleItem
from reward_gateway.intake.run_name import HEADER
from reward_gateway.sample import prompt_group
from reward_gateway.state.runs import DEFAULT_LIMIT, LARGEST_LIMIT
from reward_gateway.state.store import StateStore
from reward_gateway.traffic.keys import require_right
from reward_gateway.whole_numbers import parse_whole

from ..call import call_of
from ..dependencies import dependencies_of, json_response, read_json
from ..openapi import IDEMPOTENCY_KEY, RUN, TENANT, describe, parameter
from ..ownership import owner_scope
from ..routing import raw_router
from ..wire.response import (
    Migrated,
    ReferencesAnswer,
    ResetAccepted,
    RunReset,
    StateList,
    StateReset,
    StateRuns,
    StateValue,
)

router = raw_router("state")

_KIND = parameter("kind", "path", "moments, coefficients, references, archives, labels or sets.")
_NAME = parameter("name", "path", "Name of the state. May hold slashes.")
_ADDRESS = (_KIND, _NAME, RUN, TENANT)


class Restore(msgspec.Struct, forbid_unknown_fields=True):
    """A value as ``GET`` exported it; its other keys are taken and ignored."""

    value: Any
    kind: str | None = None
    name: str | None = None
    version: int | None = None
    owner: str | None = None


class Reference(msgspec.Struct, forbid_unknown_fields=True):
    """Reference rewards of one prompt: the prompt itself, or the group that its samples carry."""

    rewards: list[float]
    prompt: str | None = None
    group: str | None = None


class References(msgspec.Struct, forbid_unknown_fields=True):
    """Reference rewards as numbers, or answers of the base policy that are scored here and now."""

    references: list[Reference] = []
    samples: list[SampleItem] = []
    replace: bool = False


def _state_of(request: Request) -> StateStore:
    """Named state as the namespace of a request sees it."""
    return dependencies_of(request).gateway.runtime.state.within(owner_scope(request).space)


class Migrate(msgspec.Struct, forbid_unknown_fields=True):
    """Whether to delete what remains of names that the namespace has written itself."""

    discard: bool = False


@router.post(
    "/v1/state:accept-reset",
    **describe("Accept that the store has lost its state", answer=ResetAccepted, right="admin"),
)
async def accept_reset(request: Request) -> Response:
    """Once the store of state came back without what it held (`stores: {"state": "lost"}` in `/readyz`), all that needs
    state is answered 503 `state_unavailable`, so that no statistic begins anew unnoticed. This begins anew, for all
    workers of all gateways on that store. Needs the right `admin`.
    """
    require_right(call_of(request.scope).key, "admin")
    return json_response({"accepted": await dependencies_of(request).gateway.runtime.state.accept_reset()})


@router.get("/v1/state", **describe("List named state", answer=StateList, parameters=(RUN, TENANT)))
async def listing(request: Request) -> Response:
    """Every name that the run reads, with its kind, version and owner: the `run`, the `tenant` (for all its runs), or
    `legacy`, from a version without namespaces, until the run or tenant first writes the name.
    """
    return json_response({"state": await _state_of(request).list_names()})


@router.get(
    "/v1/state:runs",
    **describe(
        "List runs that have state",
        answer=StateRuns,
        parameters=(
            parameter(
                "limit",
                "query",
                f"Runs on a page, about: {DEFAULT_LIMIT} if not given.",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT},
            ),
            parameter("cursor", "query", "Where the page begins: the `cursor` of the page before.", {"type": "string"}),
            TENANT,
        ),
    ),
)
async def list_runs(request: Request) -> Response:
    """Every run of the caller for which scoring has written `moments`, `coefficients`, `archives` or `queues` of
    messages to label that were not reset since; `""` are the requests that named no run. A page takes a bounded time,
    so that it may be short or empty while there are more, and a run may stand on several pages: go on until `cursor` is
    null.
    """
    given = request.query_params.get("limit", str(DEFAULT_LIMIT))
    limit = parse_whole(given)
    if limit is None or not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidRequest(f"limit is a whole number from 1 to {LARGEST_LIMIT}", param="limit")
    page = await _state_of(request).runs.list_page(request.query_params.get("cursor"), limit)
    runs = [{"run": run, "kinds": kinds} for run, kinds in page.runs.items()]
    return json_response({"runs": runs, "cursor": page.cursor})


@router.get(
    "/v1/state/{kind}/{name:path}",
    **describe("Export named state", answer=StateValue, parameters=_ADDRESS),
)
async def export(request: Request) -> Response:
    """The value as JSON, to back up or to import elsewhere."""
    kind, name = request.path_params["kind"], request.path_params["name"]
    return json_response(await _state_of(request).export_value(kind, name))


@router.put(
    "/v1/state/{kind}/{name:path}",
    **describe("Import named state", body=Restore, answer=StateValue, parameters=_ADDRESS),
)
async def restore(request: Request) -> Response:
    """Replace the state by an exported value."""
    kind, name = request.path_params["kind"], request.path_params["name"]
    state = _state_of(request)
    await state.restore_value(kind, name, (await read_json(request, Restore)).value)
    return json_response(await state.export_value(kind, name))


@router.delete(
    "/v1/state/{kind}/{name:path}",
    **describe("Reset named state", answer=StateReset, parameters=_ADDRESS),
)
async def reset(request: Request) -> Response:
    """Delete it; the next use of the name starts empty."""
    await _state_of(request).reset(request.path_params["kind"], request.path_params["name"])
    return json_response({"reset": True})


@router.delete("/v1/state", **describe("Reset a run", answer=RunReset, parameters=(RUN, TENANT)))
async def reset_run(request: Request) -> Response:
    """Delete all that scoring wrote for the run that the request names; what was uploaded stays."""
    scope = owner_scope(request)
    if not scope.run:
        raise InvalidRequest("name the run that is to be reset", param=HEADER)
    return json_response({"reset": await _state_of(request).reset_run()})


@router.post(
    "/v1/state:migrate",
    **describe(
        "Move state of an earlier version", right="admin", body=Migrate, answer=Migrated, parameters=(RUN, TENANT)
    ),
)
async def migrate(request: Request) -> Response:
    """Move the state of a version without namespaces to this run and its tenant; then no other run reads it any more.

    Needs the right `admin`. A name that the run or the tenant has written itself is not moved.
    """
    require_right(call_of(request.scope).key, "admin")
    state, options = _state_of(request), await read_json(request, Migrate)
    return json_response({"state": await state.move_legacy(discard=options.discard)})


@router.put(
    "/v1/references/{name}",
    **describe(
        "Store reference rewards",
        body=References,
        answer=ReferencesAnswer,
        parameters=(
            parameter(
                "name",
                "path",
                "A model, a number of one (`MODEL:LABEL`), or a recipe: then of every number that it asks for.",
            ),
            IDEMPOTENCY_KEY,
            TENANT,
        ),
    ),
)
async def references(request: Request) -> Response:
    """Reference rewards by prompt and model version, for `reference: {quantile: …}` in a recipe."""
    deps = dependencies_of(request)
    upload = await read_json(request, References)
    rewards: dict[str, list[float]] = {}
    for i, entry in enumerate(upload.references):
        if (entry.prompt is None) == (entry.group is None):
            raise InvalidRequest("say either the prompt or its group", param=f"references[{i}]")
        group = entry.group if entry.group is not None else prompt_group(entry.prompt or "")
        rewards.setdefault(group, []).extend(entry.rewards)
    batch = await deps.intake.batches.make(upload.samples, takes_long=True) if upload.samples else None
    name, scope = request.path_params["name"], owner_scope(request)
    return json_response(await put_references(deps.gateway, name, rewards, batch, replace=upload.replace, scope=scope))
