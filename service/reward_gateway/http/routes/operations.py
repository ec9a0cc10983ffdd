"""``POST /v1/{kind}/{name}``: one operation over items, without a recipe."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.intake.decoding_cost import ITEMS
from reward_gateway.intake.operation_body import read_operation_body
from reward_gateway.intake.request import ApplyRequest
from reward_gateway.operations.registry import KINDS

from ..call import call_of
from ..dependencies import deadline_of, dependencies_of, json_response, read_json_bytes
from ..encode import encode_results
from ..openapi import IDEMPOTENCY_KEY, RUN, describe, parameter
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
            RUN,
        ),
    ),
)
async def apply(request: Request) -> Response:
    """The same operations that recipes use, by the same names. An item that cannot be answered has its `error`."""
    deps = dependencies_of(request)
    body = await read_json_bytes(request)
    path = request.path_params
    content = await deps.gateway.operations.answer_request(
        path["kind"],
        path["name"],
        body,
        partial(read_operation_body, deps.settings.max_nesting, deps.intake.limits),
        encode_results,
        may_take_long=ITEMS.exceeds_limit(body),
        deadline=deadline_of(request),
        scope=call_of(request.scope).scope,
    )
    return json_response(content)
