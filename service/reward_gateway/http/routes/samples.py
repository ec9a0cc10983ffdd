"""``/v1/samples``: samples that were kept, where the operator switched that on: listed, marked, exported, deleted."""

import math
from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from reward_gateway.errors import InvalidRequest, NotSetUp
from reward_gateway.kept_samples.keeper import DEFAULT_LIMIT, LARGEST_LIMIT, Filters, SampleKeeper, Sort
from reward_gateway.kept_samples.kinds import KINDS, MARKS, Kind
from reward_gateway.traffic.keys import require_right
from reward_gateway.whole_numbers import parse_whole

from ..call import call_of
from ..dependencies import dependencies_of, json_response, read_json
from ..openapi import describe, parameter
from ..routing import raw_router
from ..wire.samples import SampleList, SampleMarked, SamplesDeleted

router = raw_router("samples")

JSON_LINES = "application/x-ndjson"

_ID = parameter("id", "path", "The sample's id.")
_MARKED = (*MARKS, "unmarked")
_FILTERS = (
    parameter("run", "query", "The training run; an empty one is that of requests that named none."),
    parameter("recipe", "query", "The recipe."),
    parameter("kind", "query", "Why it is kept.", {"type": "string", "enum": list(KINDS)}),
    parameter("flags", "query", "Flags that it has, comma separated."),
    parameter("mark", "query", "Its mark.", {"type": "string", "enum": list(_MARKED)}),
    parameter("tenant", "query", "Whose samples; by default those of all callers."),
)


class MarkSample(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody thinks of the sample: `good`, `bad`, or `hack`, which has a reward that it does not deserve; null
    takes the mark away."""

    mark: Literal["good", "bad", "hack"] | None


@router.get(
    "/v1/samples",
    **describe(
        "List kept samples",
        right="admin",
        answer=SampleList,
        parameters=(
            *_FILTERS,
            parameter(
                "sort",
                "query",
                "`newest` first by default; or by the reward, its spread in the group, or how the components disagree.",
                {"type": "string", "enum": list(get_args(Sort))},
            ),
            parameter(
                "limit",
                "query",
                f"Samples on a page: {DEFAULT_LIMIT} if not given.",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT},
            ),
            parameter("cursor", "query", "Where the page begins: the `cursor` of the page before.", {"type": "string"}),
        ),
    ),
)
async def list_samples(request: Request) -> Response:
    """Samples of all callers that were kept after their answer: chosen by chance, and the extremes of each recipe.
    Needs the right `admin`, and `--keep-samples`. What was scored in the last second may be missing.
    """
    keeper, query = _keeper_of(request), request.query_params
    sort = cast("Sort", _choice(request, "sort", get_args(Sort)) or "newest")
    limit = parse_whole(query.get("limit", str(DEFAULT_LIMIT)))
    if limit is None or not 1 <= limit <= LARGEST_LIMIT:
        raise InvalidRequest(f"limit is a whole number from 1 to {LARGEST_LIMIT}", param="limit")
    page = await keeper.list_page(_filters_of(request), sort, query.get("cursor"), limit)
    told = {"samples": page.samples, "cursor": page.cursor, "total": page.total, "shared": keeper.store.shared}
    return json_response(told)


@router.get(
    "/v1/samples/pairs",
    **describe(
        "Export preference pairs",
        right="admin",
        answer_type=JSON_LINES,
        parameters=(
            *_FILTERS,
            parameter(
                "min_margin",
                "query",
                "By how much two rewards have to differ to make a pair, where no marks do: 0 if not given.",
                {"type": "number", "minimum": 0},
            ),
        ),
    ),
)
async def export_pairs(request: Request) -> Response:
    """One line per pair: `prompt`, `chosen`, `rejected`, `chosen_reward`, `rejected_reward`, `reward` (the recipe),
    `recipe_version`, `run`. Within one prompt every sample marked good is preferred to every one marked bad or hack;
    where there are none such, the highest reward to the lowest.
    """
    keeper = _keeper_of(request)
    pairs = await keeper.find_pairs(_filters_of(request), _margin_of(request))
    return StreamingResponse(
        pairs,
        media_type=JSON_LINES,
        headers={"content-disposition": 'attachment; filename="pairs.jsonl"', "cache-control": "no-store"},
    )


@router.put(
    "/v1/samples/{id}/mark",
    **describe("Mark a sample", right="admin", answer=SampleMarked, body=MarkSample, parameters=(_ID,)),
)
async def mark_sample(request: Request) -> Response:
    """A marked sample stays until its time is over, while others make room for new ones."""
    keeper, id = _keeper_of(request), request.path_params["id"]
    mark = (await read_json(request, MarkSample)).mark
    await keeper.mark(id, mark)
    return json_response({"id": id, "mark": mark})


@router.delete(
    "/v1/samples",
    **describe(
        "Delete kept samples",
        right="admin",
        answer=SamplesDeleted,
        parameters=(parameter("id", "query", "The sample."), *_FILTERS),
    ),
)
async def delete_samples(request: Request) -> Response:
    """Remove the sample of an `id`, those of a `run`, or those that other filters admit; at least one is named. Of what
    workers scored in the last second some may be stored after it.
    """
    keeper, filters = _keeper_of(request), _filters_of(request)
    id = request.query_params.get("id")
    if id is None and filters == Filters():
        raise InvalidRequest("name what is to be deleted: id, run, or another filter", param="run")
    return json_response({"deleted": await keeper.delete(filters, id)})


def _keeper_of(request: Request) -> SampleKeeper:
    """Raises PermissionDenied or NotSetUp."""
    require_right(call_of(request.scope).key, "admin")
    samples = dependencies_of(request).samples
    if samples is None:
        raise NotSetUp("no samples are kept; start the gateway with --keep-samples 10000 to keep some")
    return samples


def _filters_of(request: Request) -> Filters:
    query = request.query_params
    flags = tuple(flag.strip() for flag in query.get("flags", "").split(",") if flag.strip())
    kind = cast("Kind | None", _choice(request, "kind", KINDS))
    return Filters(
        query.get("tenant"), query.get("run"), query.get("recipe"), kind, flags, _choice(request, "mark", _MARKED)
    )


def _choice(request: Request, name: str, allowed: Sequence[Any]) -> str | None:
    given = request.query_params.get(name)
    if given is not None and given not in allowed:
        raise InvalidRequest(f"{name} is {', '.join(allowed[:-1])} or {allowed[-1]}", param=name)
    return given


def _margin_of(request: Request) -> float:
    try:
        margin = float(request.query_params.get("min_margin", "0"))
    except ValueError:
        margin = math.nan
    if not 0 <= margin < math.inf:
        raise InvalidRequest("min_margin is a number of at least 0", param="min_margin")
    return margin
