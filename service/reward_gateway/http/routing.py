"""How a route gets into the application: a file in ``routes/`` (or ``dialects/``) with a ``router``; nothing else.

Handlers take the raw request and give the raw response: bodies are decoded by msgspec, not by FastAPI, whose
part is the routing table and the OpenAPI page.
"""

import importlib
import pkgutil
from collections.abc import Callable, Coroutine, Iterator
from time import perf_counter
from types import ModuleType
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from reward_gateway.intake.kept_answers import LARGEST, KeptAnswers
from reward_gateway.operations.registry import KINDS

from .call import call_of
from .repeats import ScoredResponse, keep_answer, key_of, send_kept

BUSIEST = "/v1/score"
"""The path that is matched first: routes are tried in their order."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class KindConvertor(StringConvertor):
    """The kinds of operations, so that other first segments stay free."""

    regex = "|".join(KINDS)


register_url_convertor("kind", KindConvertor())


class RawRequest(Request):
    """A request whose body has arrived."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        super().__init__(scope, receive, send)
        self._body = body  # where Starlette keeps it once it is read; all that reads a body looks there first


class RawRoute(APIRoute):
    """A route whose handler is called with the request as it is, by :class:`.entry.Entry`."""

    async def answer(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        """Answer a request with one of this route's methods; one that came before may get its answer again."""
        call = call_of(scope)
        if not 0 < len(body) <= LARGEST or call.idempotency_key is not None:  # a key has a record of its own
            response = await self.endpoint(RawRequest(scope, receive, send, body))
        else:
            looked_up = perf_counter()
            answers: KeptAnswers = scope["app"].state.dependencies.answers
            key = key_of(scope, call, body)
            if (kept := await answers.find(key, call.scope)) is not None:
                await send_kept(kept, call, send, looked_up)
                return
            response = await self.endpoint(RawRequest(scope, receive, send, body))
            if isinstance(response, ScoredResponse):
                keep_answer(answers, call, key, body, response)
        await response(scope, receive, send)


def raw_router(*tags: str) -> APIRouter:
    """A router of raw handlers."""
    return APIRouter(route_class=RawRoute, tags=list(tags))


def found_routes(*packages: ModuleType) -> list[BaseRoute]:
    """The routes of every file of the packages: the busiest path first, then fixed paths, then templates."""
    found = [route for package in packages for router in _routers(package) for route in router.routes]
    return sorted(found, key=_rank)


def _routers(package: ModuleType) -> Iterator[APIRouter]:
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        router = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "router", None)
        if isinstance(router, APIRouter):
            yield router


def _rank(route: BaseRoute) -> int:
    path = getattr(route, "path", "")
    return 0 if path == BUSIEST else 2 if "{" in path else 1
