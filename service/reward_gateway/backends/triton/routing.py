"""Calls of the Open Inference Protocol, and model control, where several servers are one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from reward_gateway.backends.triton.server import TritonServer
from reward_gateway.errors import ModelUnavailable, NotFound

M = TypeVar("M", bound=Message)

LISTINGS = {"RepositoryIndex": "models", "ModelStatistics": "model_stats"}
"""Calls about all models of a server, and the field of their answers that lists them."""

FindServers = Callable[[str], Awaitable[list[TritonServer]]]
"""The servers of a model, at least one. Raises NotFound or ModelUnavailable."""

ListServers = Callable[[], Sequence[TritonServer]]
"""All servers."""


class RoutedPassthrough:
    """Forwards messages to a server of the model that they name, and questions about all models to each.

    Implements :class:`reward_gateway.backends.triton.passthrough.Forwards`.
    """

    def __init__(self, find_servers: FindServers, list_servers: ListServers) -> None:
        self._find_servers = find_servers
        self._list_servers = list_servers

    def handles(self, name: str) -> bool:
        """Whether a model is on a server that speaks the protocol: any name may be one of these servers'."""
        return True

    async def call(self, method: str, request: Message, answer: type[M], deadline: float) -> M:
        """As :meth:`reward_gateway.backends.triton.passthrough.Passthrough.call`."""
        name = _model_of(request)
        if not name and method in LISTINGS:
            return await self._list_all(method, request, answer, deadline)
        *first, last = _by_load(await self._find_servers(name))
        for server in first:
            with contextlib.suppress(ModelUnavailable), server.carry_call():
                return await server.passthrough.call(method, request, answer, deadline)
        with last.carry_call():
            return await last.passthrough.call(method, request, answer, deadline)

    async def _list_all(self, method: str, request: Message, answer: type[M], deadline: float) -> M:
        """The answers of all servers as one. Raises GatewayError if none answers."""
        calls = (server.passthrough.call(method, request, answer, deadline) for server in self._list_servers())
        answers = await asyncio.gather(*calls, return_exceptions=True)
        lists = [found for found in answers if not isinstance(found, BaseException)]
        if not lists:
            raise next(iter(answers), NotFound("there is no Triton server"))  # type: ignore[misc]
        rows: dict[tuple[str, str], Any] = {}
        for found in lists:
            for row in getattr(found, LISTINGS[method]):
                known = rows.setdefault((row.name, row.version), row)
                if method == "RepositoryIndex" and row.state == "READY" != known.state:
                    rows[row.name, row.version] = row
        return answer(**{LISTINGS[method]: rows.values()})

    async def stream(self, request: Message, deadline: float) -> AsyncIterator[Any]:
        """As :meth:`reward_gateway.backends.triton.passthrough.Passthrough.stream`."""
        server, *_ = _by_load(await self._find_servers(_model_of(request)))
        with server.carry_call():
            async for message in server.passthrough.stream(request, deadline):
                yield message


class RoutedControl:
    """Loads and unloads models on every server where they are ready, one after the other, so that the others answer
    meanwhile; else on the first that has them in its repository, or the first of all.

    Implements :class:`reward_gateway.backends.triton.control.Controls`.
    """

    def __init__(self, find_servers: FindServers, list_servers: ListServers) -> None:
        self._find_servers = find_servers
        self._list_servers = list_servers

    async def load(self, name: str, timeout_s: float) -> None:
        """As :meth:`reward_gateway.backends.triton.control.Control.load`."""
        for server in await self._find(name):
            await server.control.load(name, timeout_s)

    async def unload(self, name: str, timeout_s: float) -> None:
        """As :meth:`reward_gateway.backends.triton.control.Control.unload`."""
        for server in await self._find(name):
            await server.control.unload(name, timeout_s)

    async def _find(self, name: str) -> Sequence[TritonServer]:
        try:
            return await self._find_servers(name)
        except NotFound:
            if not (servers := self._list_servers()):
                raise
            return servers[:1]


def _by_load(servers: Sequence[TritonServer]) -> list[TritonServer]:
    """Those with the fewest calls in flight first."""
    return sorted(servers, key=lambda server: server.in_flight)


def _model_of(request: Any) -> str:
    fields = request.DESCRIPTOR.fields_by_name
    return str(request.model_name if "model_name" in fields else request.name if "name" in fields else "")
