"""``POST /v1/{kind}/{name}``: one operation over items, without a recipe."""

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.operations.registry import KINDS

from ..decode import decode
from ..edge import deadline_of, edge_of, json_response, read_json_bytes
from ..items import check_items
from ..nesting import check_nesting
from ..openapi import describe, parameter
from ..routing import raw_router
from ..wire.request import ApplyRequest, apply_request
from ..wire.response import ApplyResponse

router = raw_router("operations")


@router.post(
    "/v1/{kind:kind}/{name}",
    **describe(
        "Apply one operation",
        body=ApplyRequest,
        answer=ApplyResponse,
        example={"items": [{"reward": 1.5}], "params": {"scale": 2.0}},
        statuses=(404, 504),
        parameters=(
            parameter("kind", "path", "Kind of the operation.", {"type": "string", "enum": list(KINDS)}),
            parameter("name", "path", "Name of the operation; GET /v1/catalog lists them."),
        ),
    ),
)
async def apply(request: Request) -> Response:
    """The same operations that recipes use, by the same names. An item that cannot be answered has its `error`."""
    edge = edge_of(request)
    body = await read_json_bytes(request)
    asked = decode(apply_request, body, edge.settings.max_nesting)
    check_nesting(body, edge.settings.max_nesting)
    check_items(asked.items, len(body), edge.batches.limits)
    where = request.path_params
    results = await edge.gateway.apply(
        where["kind"], where["name"], asked.items, asked.params, deadline=deadline_of(request)
    )
    return json_response({"results": results})
