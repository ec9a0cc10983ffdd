"""A dialect: its policy, its paths, and the one way from a request's bytes through a handler to an answer.

A file of this package names its dialect and writes a handler a path: a decoded body in, JSON out. The bare path is
the one that clients have built in; the prefixed one is never anybody else's. Where two dialects share a bare path,
``keys`` says what the bodies of this one hold, and the body decides.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.intake.decode import decode
from reward_gateway.intake.nesting import check_nesting

from ..body_dispatch import dispatch_body
from ..call import call_of
from ..client_profiles import ClientProfile, register
from ..dependencies import dependencies_of, json_response, read_bytes, read_json_bytes
from ..openapi import describe, parameter
from ..routing import Handler, raw_router
from .error_formats import error_form_of
from .policies import POLICIES
from .request import DialectRequest

Body = TypeVar("Body", bound=msgspec.Struct)
Speak = Callable[[DialectRequest, Body], Awaitable[Any]]
Bytes = Callable[[DialectRequest, bytes], Awaitable[Any]]

REWARD = parameter("reward", "query", "Recipe, where the body names none.")


SPOKEN: dict[str, "Dialect"] = {}
"""The dialects that are spoken here, by name."""


class Dialect:
    """One row of the table of policies, with its routes."""

    def __init__(self, name: str) -> None:
        self.policy = POLICIES[name]
        self.form = error_form_of(self.policy.error, self.policy.overload)
        self.router: APIRouter = raw_router(self.policy.title)
        self.paths: list[str] = []
        SPOKEN[name] = self
        self._manner = ClientProfile(self.form, self.policy.deadline_s)

    def post(
        self,
        *paths: str,
        body: type[Body],
        example: dict[str, Any] | None = None,
        keys: Sequence[tuple[str, ...]] = (),
        bare: bool = True,
        methods: tuple[str, ...] = ("POST",),
        parameters: tuple[dict[str, Any], ...] = (),
    ) -> Callable[[Speak[Body]], Speak[Body]]:
        """Answer ``POST`` on the paths, bare and below the prefix.

        Args:
            body: its decoded form; keys that it does not name are ignored.
            keys: where the bare paths are shared: the sets of keys that tell this dialect's bodies.
            bare: False: below the prefix alone.
        """
        decoder = msgspec.json.Decoder(body)

        def add(speak: Speak[Body]) -> Speak[Body]:
            async def handler(request: Request) -> Response:
                call_of(request.scope).form = self.form
                content = await read_json_bytes(request)
                deepest = dependencies_of(request).settings.max_nesting
                ask = DialectRequest(request, self.policy, len(content))
                decoded = decode(decoder, content, deepest)
                check_nesting(content, deepest)
                answer = await speak(ask, decoded)
                return answer if isinstance(answer, Response) else json_response(answer)

            handler.__doc__, handler.__name__ = speak.__doc__, speak.__name__
            said = self._described(speak, body, example, (REWARD, *parameters))
            for path in paths:
                if self.policy.prefix:
                    self._route(f"/{self.policy.prefix}{path}", handler, methods, said)
                for shape in keys if bare else ():
                    dispatch_body(path, *shape)(handler)
                    register(path, self._manner)
                if bare and keys:
                    self.paths.append(path)
                if bare and not keys:
                    self._route(path, handler, methods, said)
            return speak

        return add

    def post_bytes(self, *paths: str, content_type: str = "application/octet-stream") -> Callable[[Bytes], Bytes]:
        """Answer ``POST`` on the paths, bare and below the prefix, whose bodies are no JSON."""

        def add(speak: Bytes) -> Bytes:
            async def handler(request: Request) -> Response:
                content = await read_bytes(request)
                answer = await speak(DialectRequest(request, self.policy, len(content)), content)
                return answer if isinstance(answer, Response) else json_response(answer)

            handler.__doc__, handler.__name__ = speak.__doc__, speak.__name__
            said = describe(
                f"{self.policy.title}: {_first_line(speak)}", statuses=(400, 404, 413, 422, 504), parameters=(REWARD,)
            )
            said["openapi_extra"]["requestBody"] = {
                "required": True,
                "content": {content_type: {"schema": {"type": "string", "format": "binary"}}},
            }
            for path in paths:
                for place in (path, f"/{self.policy.prefix}{path}"):
                    self._route(place, handler, ("POST",), said)
            return speak

        return add

    def get(self, *paths: str) -> Callable[[Callable[[Request], Awaitable[Any]]], Callable[[Request], Awaitable[Any]]]:
        """Answer ``GET`` on the paths, bare and below the prefix."""

        def add(speak: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Any]]:
            async def handler(request: Request) -> Response:
                return json_response(await speak(request))

            handler.__doc__, handler.__name__ = speak.__doc__, speak.__name__
            said = describe(f"{self.policy.title}: {_first_line(speak)}")
            for path in paths:
                for place in (path, f"/{self.policy.prefix}{path}") if self.policy.prefix else (path,):
                    self._route(place, handler, ("GET",), said)
            return speak

        return add

    def _route(self, path: str, handler: Handler, methods: Sequence[str], said: dict[str, Any]) -> None:
        register(path, self._manner)
        self.paths.append(path)
        for method in methods:
            self.router.add_api_route(path, handler, methods=[method], **said)

    def _described(
        self,
        speak: Callable[..., Any],
        body: type[msgspec.Struct],
        example: dict[str, Any] | None,
        parameters: tuple[dict[str, Any], ...],
    ) -> dict[str, Any]:
        said = describe(
            f"{self.policy.title}: {_first_line(speak)}",
            body=body,
            example=example,
            statuses=(404, 504),
            parameters=parameters,
        )
        if self.policy.error != "ours":
            refused = {
                "description": f"Refused, in {self.policy.title}'s own form.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
            also = {"401", "403", "424", "429", "500", "503"} if self.policy.error == "tei" else set()
            responses = said["openapi_extra"]["responses"]
            said["openapi_extra"]["responses"] = {
                "200": responses["200"],
                **dict.fromkeys(sorted((set(responses) | also) - {"200"}), refused),
            }
        return said


def _first_line(speak: Callable[..., Any]) -> str:
    return (speak.__doc__ or speak.__name__).strip().split("\n", 1)[0].rstrip(".")
