"""A dialect: its policy, its paths, and how a request is decoded, handled and encoded.

A file of this package declares the policy of its dialect and writes one handler per path: a decoded body in, JSON out.
The bare path is the one built into the clients; the path with the dialect's prefix is unambiguous. If two dialects
share a bare path, ``keys`` names the body keys of this one, and the keys of a body decide which dialect handles it.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.intake.decoding_cost import TYPED

from ..body_dispatch import SharedBody, dispatch_body
from ..call import call_of, register_health
from ..client_profiles import ClientProfile, register
from ..dependencies import decode_body, dependencies_of, encode_json, json_response, read_bytes, read_json_bytes
from ..errors import ErrorFormat
from ..openapi import IDEMPOTENCY_KEY, RUN, describe, parameter
from ..repeats import ScoredResponse
from ..routing import Handler, raw_router
from ..websocket import open_session, session_of
from .policy import ONE_SAMPLE, Policy
from .request import DialectRequest

Body = TypeVar("Body")
BodyHandler = Callable[[DialectRequest, Body], Awaitable[Any]]
BytesHandler = Callable[[DialectRequest, bytes], Awaitable[Any]]
GetHandler = Callable[[Request], Awaitable[Any]]

REWARD = parameter("reward", "query", "Recipe, if the body names none. `/r/NAME/` before the path goes before it.")

CHAT_FORMAT = parameter(
    "chat_format",
    "query",
    "Format of the chat text in the body: auto, none, or a name. Default: the recipe's.",
)

DIALECTS: dict[str, "Dialect"] = {}
"""The dialects that are served, by name. Each registers itself on import."""


class Dialect:
    """One policy with its routes. ``answer`` is always the type of the 200 response, for the OpenAPI page."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.router: APIRouter = raw_router(policy.title)
        self.paths: list[str] = []
        self._profile = ClientProfile(policy.error_format, policy.deadline_s)
        if policy.prefix:
            register_health(f"/{policy.prefix}")
        DIALECTS[policy.name] = self

    def post(
        self,
        *paths: str,
        body: type[Body],
        answer: Any,
        example: Any = None,
        keys: Sequence[tuple[str, ...]] = (),
        bare: bool = True,
        methods: tuple[str, ...] = ("POST",),
        parameters: tuple[dict[str, Any], ...] = (),
        streams: bool = False,
    ) -> Callable[[BodyHandler[Body]], BodyHandler[Body]]:
        """Register a handler of ``POST`` on the paths, bare and with the prefix.

        Args:
            body: type of the decoded body, a struct or a list of them; unknown keys are ignored.
            keys: for shared bare paths: the sets of keys that identify a body of this dialect.
            bare: False registers the paths with the prefix only.
            streams: whether the response may also be server-sent events.
        """

        def register_handler(answer_body: BodyHandler[Body]) -> BodyHandler[Body]:
            async def handler(request: Request) -> Response:
                call, settings = call_of(request.scope), dependencies_of(request).settings
                call.error_format = self.policy.error_format  # of a shared path, the body has now told whose it is
                call.deadline_s = self._profile.shorten(call.deadline_s, settings.default_deadline_s)
                content = await read_json_bytes(request)
                dialect_request = DialectRequest(request, self.policy, len(content), TYPED.exceeds_limit(content))
                decoded = await decode_body(request, body, content, check_nesting=True, one_per_sample=True)
                await dialect_request.learn_models(getattr(decoded, "reward", None), getattr(decoded, "model", None))
                answered = await answer_body(dialect_request, decoded)
                if isinstance(answered, Response):
                    return answered
                return ScoredResponse(encode_json(answered), dialect_request.fixed_scores)

            described = self._describe_route(
                handler,
                answer_body,
                ONE_SAMPLE if self.policy.one_sample else "",
                body=body,
                answer=answer,
                example=example,
                parameters=(REWARD, CHAT_FORMAT, IDEMPOTENCY_KEY, RUN, *parameters),
                more_answer_types=("text/event-stream",) if streams else (),
            )
            for path in paths:
                if self.policy.prefix:
                    self._add_route(f"/{self.policy.prefix}{path}", handler, methods, described)
                for body_keys in keys if bare else ():
                    shared = SharedBody(frozenset(body_keys), handler, body, answer, self.policy.error_format)
                    dispatch_body(path, shared)
                    register(path, self._profile)
                if bare and keys:
                    self.paths.append(path)
                if bare and not keys:
                    self._add_route(path, handler, methods, described)
            return answer_body

        return register_handler

    def post_bytes(
        self,
        *paths: str,
        answer: Any = None,
        content_type: str = "application/octet-stream",
        answer_type: str = "application/json",
        parameters: tuple[dict[str, Any], ...] = (),
    ) -> Callable[[BytesHandler], BytesHandler]:
        """Register a handler of ``POST`` on the paths, bare and with the prefix, for bodies that are not JSON."""

        def register_handler(answer_bytes: BytesHandler) -> BytesHandler:
            async def handler(request: Request) -> Response:
                call_of(request.scope).error_format = self.policy.error_format
                content = await read_bytes(request)
                dialect_request = DialectRequest(request, self.policy, len(content))
                await dialect_request.learn_models()
                return _to_response(await answer_bytes(dialect_request, content))

            described = self._describe_route(
                handler,
                answer_bytes,
                body={"type": "string", "format": "binary"},
                body_types=(content_type,),
                answer=answer,
                answer_type=answer_type,
                parameters=(REWARD, CHAT_FORMAT, IDEMPOTENCY_KEY, RUN, *parameters),
            )
            for path in paths:
                for place in (path, f"/{self.policy.prefix}{path}"):
                    self._add_route(place, handler, ("POST",), described)
            return answer_bytes

        return register_handler

    def get(
        self, *paths: str, answer: Any, parameters: tuple[dict[str, Any], ...] = ()
    ) -> Callable[[GetHandler], GetHandler]:
        """Register a handler of ``GET`` on the paths, bare and with the prefix."""

        def register_handler(answer_get: GetHandler) -> GetHandler:
            async def handler(request: Request) -> Response:
                call_of(request.scope).error_format = self.policy.error_format
                return _to_response(await answer_get(request))

            described = self._describe_route(handler, answer_get, answer=answer, parameters=parameters)
            for path in paths:
                for place in (path, f"/{self.policy.prefix}{path}") if self.policy.prefix else (path,):
                    self._add_route(place, handler, ("GET",), described)
            return answer_get

        return register_handler

    def websocket(
        self, *paths: str, body: Any, error_format: ErrorFormat, deadline_s: float
    ) -> Callable[[BodyHandler[Body]], BodyHandler[Body]]:
        """Register a handler of the messages of a WebSocket on the paths, bare and with the prefix.

        A message is a ``POST`` to the path of its WebSocket (:mod:`..entry.websockets`); what the handler returns
        is the answer, and a response of status 204 closes the WebSocket. The handshake fails for an unknown recipe.

        Args:
            body: type of the decoded message.
            error_format: of messages, and of a refused handshake.
            deadline_s: longest time that the answer to a message may take, below the clients' own timeout.
        """

        def register_handler(answer_body: BodyHandler[Body]) -> BodyHandler[Body]:
            profile = ClientProfile(error_format, deadline_s)

            async def shake_hands(request: Request) -> Response:
                open_session(request)
                dialect_request = DialectRequest(request, self.policy, 0)
                await dialect_request.learn_models()
                dialect_request.plan()
                return Response(status_code=101)

            async def answer_message(request: Request) -> Response:
                session_of(request)
                content = await read_json_bytes(request)
                dialect_request = DialectRequest(request, self.policy, len(content), TYPED.exceeds_limit(content))
                decoded = await decode_body(request, body, content, check_nesting=True)
                await dialect_request.learn_models()
                return _to_response(await answer_body(dialect_request, decoded))

            described = self._describe_route(
                shake_hands,
                answer_body,
                ONE_SAMPLE if self.policy.one_sample else "",
                parameters=(REWARD, CHAT_FORMAT, RUN),
                error_formats=(error_format,),
            )
            described["openapi_extra"]["responses"] = {"101": {"description": "A WebSocket."}}
            for path in paths:
                for place in (path, f"/{self.policy.prefix}{path}") if self.policy.prefix else (path,):
                    self._add_route(place, shake_hands, ("GET",), {**described, "status_code": 101}, profile)
                    self.router.add_api_route(place, answer_message, methods=["POST"], include_in_schema=False)
            return answer_body

        return register_handler

    def _add_route(
        self,
        path: str,
        handler: Handler,
        methods: Sequence[str],
        described: dict[str, Any],
        profile: ClientProfile | None = None,
    ) -> None:
        register(path, profile or self._profile)
        self.paths.append(path)
        for method in methods:
            self.router.add_api_route(path, handler, methods=[method], **described)

    def _describe_route(
        self, handler: Handler, function: Callable[..., Any], note: str = "", **described: Any
    ) -> dict[str, Any]:
        """Describe a route for the OpenAPI page, from the docstring of the dialect's function and a note on it."""
        text = "\n\n".join(filter(None, [(function.__doc__ or "").strip(), note]))
        handler.__doc__, handler.__name__ = text, function.__name__
        summary = f"{self.policy.title}: {text.split(chr(10), 1)[0]}"
        return describe(summary, **{"error_formats": (self.policy.error_format,), **described})


def check_failures(chosen: Mapping[str, Any]) -> None:
    """Raise ValueError if the operator's setting ``dialect_failures`` has a key that is not the name of a dialect."""
    if not chosen:
        return
    for module in pkgutil.iter_modules(
        [str(Path(__file__).parent)]
    ):  # a dialect registers itself when its module is imported
        importlib.import_module(f"{__package__}.{module.name}")
    if unknown := sorted(set(chosen) - set(DIALECTS)):
        known = ", ".join(sorted(DIALECTS))
        raise ValueError(f"dialect_failures: unknown dialects: {', '.join(unknown)}; known: {known}")


def _to_response(answer: Any) -> Response:
    return answer if isinstance(answer, Response) else json_response(answer)
