"""Bare paths built into the clients of several servers: the keys of the body decide which dialect handles it."""

from typing import Any, cast

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import InvalidRequest

from ..body_dispatch import bodies_at, handler_for_body
from ..dependencies import decode_body, read_json_bytes, read_keys
from ..openapi import IDEMPOTENCY_KEY, RUN, describe
from ..routing import Handler, raw_router
from .dialect import REWARD

PATHS = {
    "/classify": ("POST", "PUT"),
    "/get_reward": ("POST",),
    "/rerank": ("POST",),
    "/score": ("POST",),
}


def _make_dispatcher(path: str) -> Handler:
    async def dispatch(request: Request) -> Response:
        body = await read_json_bytes(request)
        handler = handler_for_body(path, await read_keys(request, body))
        if handler is None:
            await decode_body(request, cast("type[object]", Any), body)
            accepted_keys = "; or ".join(" and ".join(sorted(shared.keys)) for shared in bodies_at(path))
            raise InvalidRequest(f"the body matches no API of this path: send the keys {accepted_keys}")
        return await handler(request)

    dispatch.__name__ = f"shared_{path[1:]}"
    dispatch.__doc__ = "Shared by the clients of several servers; the keys of the body decide which dialect answers."
    return dispatch


def _make_router() -> APIRouter:
    router = raw_router("shared paths")
    for path, methods in PATHS.items():
        described = describe(
            f"{path} of several servers, told apart by the body",
            body={},
            answer={},
            parameters=(REWARD, IDEMPOTENCY_KEY, RUN),
        )
        for method in methods:
            router.add_api_route(path, _make_dispatcher(path), methods=[method], **described)
    return router


router = _make_router()
