"""Every answer that a test gets is held against what is published: the OpenAPI page over HTTP, the proto over gRPC.

Schemas are read more strictly than they are published: a key that the page does not name is a fault here, because a
client that was generated from the page would drop it.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, ClassVar, get_args
from urllib.parse import unquote

import grpc
import httpx
import jsonschema_rs
from fastapi import FastAPI
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from reward_gateway.address import split_address
from reward_gateway.errors import error_table
from reward_gateway.http.dialects.dialect import DIALECTS
from reward_gateway.sample import InvalidCode
from starlette.routing import Match

GRPC_STATUS = {kind.code: kind.grpc_status for kind in error_table()}
HTTP_STATUSES = {str(kind.status) for kind in error_table()}
SAMPLE_CODES = frozenset(get_args(InvalidCode))


class HttpContract:
    """What an application says that it answers. All applications have the same routes, and so one page."""

    _page: ClassVar[dict[str, Any] | None] = None
    _components: ClassVar[Any] = None
    _validators: ClassVar[dict[tuple[str, str, str], jsonschema_rs.Draft202012Validator]] = {}

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._templates: dict[tuple[str, str], str | None] = {}

    @classmethod
    def forget(cls) -> None:
        """Read the page anew, where a test has changed the routes."""
        cls._page = None
        cls._validators.clear()

    def page(self) -> dict[str, Any]:
        """The published page."""
        if HttpContract._page is None:
            HttpContract._page = self._app.openapi()
            HttpContract._components = closed(HttpContract._page["components"])
        return HttpContract._page

    def client(self, base_url: str = "http://localhost:8080", **kwargs: Any) -> httpx.AsyncClient:
        """A client of the application in this process, each of whose answers is checked."""
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        hooks = {"response": [self.check]}
        return httpx.AsyncClient(transport=transport, base_url=base_url, event_hooks=hooks, **kwargs)

    async def check(self, response: httpx.Response) -> None:
        """Fail where an answer is not as the page says: its status, its content type or its body."""
        await response.aread()
        method, path = response.request.method, _served_path(response.request.url)
        if (method, path) not in self._templates:
            self._templates[method, path] = self._template(method, path)
        template = self._templates[method, path]
        if template is None:
            assert response.status_code >= 400, f"{method} {path} is on no page and answered {response.status_code}"
            assert str(response.status_code) in HTTP_STATUSES
            return
        operation = self.page()["paths"].get(template, {}).get(method.lower())
        if operation is None:
            return  # left out of the page on purpose: the page itself and what it loads
        where = f"{method} {template} {response.status_code}"
        said = operation["responses"].get(str(response.status_code))
        assert said is not None, f"{where}: this status is not documented"
        content = self._resolve(said)["content"]
        kind = response.headers.get("content-type", "").partition(";")[0]
        assert kind in content, f"{where}: answered {kind or 'no content type'}; documented: {', '.join(content)}"
        if kind == "application/json":
            key = (template, method, str(response.status_code))
            if key not in self._validators:
                schema = {**closed(content[kind]["schema"]), "components": HttpContract._components}
                self._validators[key] = jsonschema_rs.Draft202012Validator(schema)
            for error in self._validators[key].iter_errors(response.json()):
                raise AssertionError(f"{where}: {error}")

    def _template(self, method: str, path: str) -> str | None:
        """The path on the page that answers; None where nothing does."""
        scope = {"type": "http", "path": path, "root_path": "", "method": method}
        for route in self._app.router.routes:
            if route.matches(scope)[0] is Match.FULL:
                return getattr(route, "path_format", None)
        return None

    def _resolve(self, value: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in value:
            return value
        held: Any = self.page()
        for name in value["$ref"].removeprefix("#/").split("/"):
            held = held[name]
        found: dict[str, Any] = held
        return found


def _served_path(url: httpx.URL) -> str:
    """The path of a route, without the run and the recipe that the address names before it, or a prefix of health."""
    _, recipe, path = split_address(url.raw_path.decode().partition("?")[0])
    prefixes = {f"/{dialect.policy.prefix}/health" for dialect in DIALECTS.values()}
    return "/health" if path in prefixes or (recipe is not None and path.endswith("/health")) else unquote(path)


def closed(schema: Any) -> Any:
    """The schema with no room for keys that it does not name."""
    if isinstance(schema, list):
        return [closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(entry) for name, entry in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        made.setdefault("additionalProperties", False)
    return made


def check_message(message: Message) -> None:
    """Fail where a message has fields that the proto does not name, or an error's code outside the closed set."""
    assert not len(UnknownFieldSet(message)), f"{message.DESCRIPTOR.full_name}: fields that the proto does not name"
    if message.DESCRIPTOR.full_name == "reward_gateway.v1.Error":
        code = message.code  # type: ignore[attr-defined]
        assert code in SAMPLE_CODES or code in GRPC_STATUS, f"{code}: not a published code"
        assert message.message  # type: ignore[attr-defined]
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            entries = value.values()
            value = [entry for entry in entries if isinstance(entry, Message)]
        for entry in [value] if isinstance(value, Message) else value:
            check_message(entry)


def check_refusal(error: grpc.aio.AioRpcError) -> None:
    """Fail where a status has no code of the table, or another code's status."""
    trailing: Any = error.trailing_metadata()
    metadata = dict(trailing or ())
    if "error-code" not in metadata:  # the transport's own, for example a deadline that passed here
        return
    assert GRPC_STATUS.get(metadata["error-code"]) == error.code().name, metadata["error-code"]
    assert error.details()


class UnaryContract(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    """Checks the answer of each unary call."""

    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            check_refusal(error)
            return call
        if isinstance(answer, Message):
            check_message(answer)
        return call


class StreamContract(grpc.aio.StreamStreamClientInterceptor):  # type: ignore[type-arg]
    """Checks each message of a stream's answers."""

    async def intercept_stream_stream(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        ended = asyncio.Event()
        call = await continuation(details, _send_until(ended, requests))
        call.add_done_callback(lambda _: ended.set())
        return _CheckedStream(call)


async def _send_until(ended: asyncio.Event, requests: AsyncIterable[Any]) -> AsyncIterator[Any]:
    """The requests of a call, up to the end of the call.

    grpc.aio leaves an intercepted call that the server ended waiting for the next request. When that is collected as
    garbage, at any later time, it fails whichever test is running.
    """
    source = aiter(requests)
    ending = asyncio.ensure_future(ended.wait())
    coming = ending
    try:
        while True:
            coming = asyncio.ensure_future(anext(source, None))  # type: ignore[arg-type]
            await asyncio.wait({coming, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done() or (request := coming.result()) is None:
                return
            yield request
    finally:
        coming.cancel()
        ending.cancel()


class _CheckedStream:
    """A call whose messages are checked as they are read."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    async def __aiter__(self) -> Any:
        async for message in self._call:
            check_message(message)
            yield message

    async def read(self) -> Any:
        message = await self._call.read()
        if isinstance(message, Message):
            check_message(message)
        return message


def interceptors() -> Any:
    """What a test's channel is made with."""
    return [UnaryContract(), StreamContract()]
