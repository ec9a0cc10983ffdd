"""A dialect: its policy, its paths, and the one way from a request's bytes through a handler to an answer.

A file of this package declares the policy of its dialect and writes a handler per path: a decoded body in, JSON out.
The bare path is the one that clients have built in; the prefixed one is never anybody else's. Where two dialects share
a bare path, ``keys`` says what the bodies of this one hold, and the body decides.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.intake.decode import decode
from reward_gateway.intake.nesting import check_nesting

from ..body_dispatch import SharedBody, dispatch_body
from ..call import call_of
from ..client_profiles import ClientProfile, register
from ..dependencies import dependencies_of, json_response, read_bytes, read_json_bytes
from ..openapi import IDEMPOTENCY_KEY, describe, parameter
from ..routing import Handler, raw_router
from .policy import Policy
from .request import DialectRequest

Body = TypeVar("Body", bound=msgspec.Struct)
BodyHandler = Callable[[DialectRequest, Body], Awaitable[Any]]
BytesHandler = Callable[[DialectRequest, bytes], Awaitable[Any]]
GetHandler = Callable[[Request], Awaitable[Any]]

REWARD = parameter("reward", "query", "Recipe, where the body names none.")

DIALECTS: dict[str, "Dialect"] = {}
"""The dialects that are served, by name; each registers itself."""


class Dialect:
    """One policy with its routes. ``answer`` is everywhere the type of the 200 answer, for the OpenAPI page."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.router: APIRouter = raw_router(policy.title)
        self.paths: list[str] = []
        self._profile = ClientProfile(policy.error_format, policy.deadline_s)
        DIALECTS[policy.name] = self

    def post(
        self,
        *paths: str,
        body: type[Body],
        answer: Any,
        example: dict[str, Any] | None = None,
        keys: Sequence[tuple[str, ...]] = (),
        bare: bool = True,
        methods: tuple[str, ...] = ("POST",),
        parameters: tuple[dict[str, Any], ...] = (),
        streams: bool = False,
    ) -> Callable[[BodyHandler[Body]], BodyHandler[Body]]:
        """Answer ``POST`` on the paths, bare and below the prefix.

        Args:
            body: its decoded form; keys that it does not name are ignored.
            keys: where the bare paths are shared: the sets of keys that tell this dialect's bodies.
            bare: False: below the prefix alone.
            streams: it may answer with server-sent events too.
        """
        decoder = msgspec.json.Decoder(body)

        def add(answer_body: BodyHandler[Body]) -> BodyHandler[Body]:
            async def handler(request: Request) -> Response:
                call_of(request.scope).error_format = self.policy.error_format
                content = await read_json_bytes(request)
                deepest = dependencies_of(request).settings.max_nesting
                asked = DialectRequest(request, self.policy, len(content))
                decoded = decode(decoder, content, deepest)
                check_nesting(content, deepest)
                return _response(await answer_body(asked, decoded))

            described = self._describe(
                handler,
                answer_body,
                body=body,
                answer=answer,
                example=example,
                parameters=(REWARD, IDEMPOTENCY_KEY, *parameters),
                more_answer_types=("text/event-stream",) if streams else (),
            )
            for path in paths:
                if self.policy.prefix:
                    self._route(f"/{self.policy.prefix}{path}", handler, methods, described)
                for shape in keys if bare else ():
                    shared = SharedBody(frozenset(shape), handler, body, answer, self.policy.error_format)
                    dispatch_body(path, shared)
                    register(path, self._profile)
                if bare and keys:
                    self.paths.append(path)
                if bare and not keys:
                    self._route(path, handler, methods, described)
            return answer_body

        return add

    def post_bytes(
        self,
        *paths: str,
        answer: Any = None,
        content_type: str = "application/octet-stream",
        answer_type: str = "application/json",
    ) -> Callable[[BytesHandler], BytesHandler]:
        """Answer ``POST`` on the paths, bare and below the prefix, whose bodies are no JSON."""

        def add(answer_bytes: BytesHandler) -> BytesHandler:
            async def handler(request: Request) -> Response:
                content = await read_bytes(request)
                return _response(await answer_bytes(DialectRequest(request, self.policy, len(content)), content))

            described = self._describe(
                handler,
                answer_bytes,
                body={"type": "string", "format": "binary"},
                body_types=(content_type,),
                answer=answer,
                answer_type=answer_type,
                parameters=(REWARD, IDEMPOTENCY_KEY),
            )
            for path in paths:
                for place in (path, f"/{self.policy.prefix}{path}"):
                    self._route(place, handler, ("POST",), described)
            return answer_bytes

        return add

    def get(self, *paths: str, answer: Any) -> Callable[[GetHandler], GetHandler]:
        """Answer ``GET`` on the paths, bare and below the prefix."""

        def add(answer_get: GetHandler) -> GetHandler:
            async def handler(request: Request) -> Response:
                return _response(await answer_get(request))

            described = self._describe(handler, answer_get, answer=answer)
            for path in paths:
                for place in (path, f"/{self.policy.prefix}{path}") if self.policy.prefix else (path,):
                    self._route(place, handler, ("GET",), described)
            return answer_get

        return add

    def _route(self, path: str, handler: Handler, methods: Sequence[str], described: dict[str, Any]) -> None:
        register(path, self._profile)
        self.paths.append(path)
        for method in methods:
            self.router.add_api_route(path, handler, methods=[method], **described)

    def _describe(self, handler: Handler, function: Callable[..., Any], **described: Any) -> dict[str, Any]:
        """The route's place on the OpenAPI page, from the docstring of the dialect's function."""
        text = (function.__doc__ or "").strip()
        handler.__doc__, handler.__name__ = text, function.__name__
        summary = f"{self.policy.title}: {text.split(chr(10), 1)[0]}"
        return describe(summary, error_formats=(self.policy.error_format,), **described)


def check_failures(chosen: Mapping[str, Any]) -> None:
    """Raise ValueError where the operator's setting ``dialect_failures`` names no dialect."""
    if not chosen:
        return
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):  # a dialect is known once its file is read
        importlib.import_module(f"{__package__}.{module.name}")
    if unknown := sorted(set(chosen) - set(DIALECTS)):
        known = ", ".join(sorted(DIALECTS))
        raise ValueError(f"dialect_failures names no dialect: {', '.join(unknown)} (there are: {known})")


def _response(answer: Any) -> Response:
    return answer if isinstance(answer, Response) else json_response(answer)
