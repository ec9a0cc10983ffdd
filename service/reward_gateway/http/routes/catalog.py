"""``GET /v1/catalog``: every operation, from its registration."""

from starlette.requests import Request
from starlette.responses import Response

from ..dependencies import dependencies_of, json_response
from ..openapi import describe
from ..routing import raw_router
from ..wire.response import OperationList

router = raw_router("operations")


@router.get("/v1/catalog", **describe("List every operation", answer=OperationList))
async def catalog(request: Request) -> Response:
    """Parameters and items as JSON Schema, what it returns, where its formula is published and how faithful it is."""
    return json_response({"operations": dependencies_of(request).gateway.operations.list_entries()})
