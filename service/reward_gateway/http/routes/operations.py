"""``POST /v1/{kind}/{name}``: one operation over items, without a recipe."""

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.intake.decode import decode
from reward_gateway.intake.items import check_items
from reward_gateway.intake.nesting import check_nesting
from reward_gateway.intake.request import ApplyRequest, apply_request
from reward_gateway.operations.registry import KINDS

from ..call import call_of
from ..dependencies import deadline_of, dependencies_of, json_response, read_json_bytes
from ..openapi import IDEMPOTENCY_KEY, describe, parameter
from ..routing import raw_router
from ..wire.response import ApplyResponse

router = raw_router("operations")


@router.post(
    "/v1/{kind:kind}/{name}",
    **describe(
        "Apply one operation",
        body=ApplyRequest,
        answer=ApplyResponse,
        example={"items": [{"reward": 1.5}], "params": {"scale": 2.0}},
        parameters=(
            parameter("kind", "path", "Kind of the operation.", {"type": "string", "enum": list(KINDS)}),
            parameter("name", "path", "Name of the operation; GET /v1/catalog lists them."),
            IDEMPOTENCY_KEY,
        ),
    ),
)
async def apply(request: Request) -> Response:
    """The same operations that recipes use, by the same names. An item that cannot be answered has its `error`."""
    deps = dependencies_of(request)
    body = await read_json_bytes(request)
    apply_body = decode(apply_request, body, deps.settings.max_nesting)
    check_nesting(body, deps.settings.max_nesting)
    check_items(apply_body.items, len(body), deps.intake.limits)
    path = request.path_params
    results = await deps.gateway.apply_operation(
        path["kind"],
        path["name"],
        apply_body.items,
        apply_body.params,
        deadline=deadline_of(request),
        scope=call_of(request.scope).scope,
    )
    return json_response({"results": results})
