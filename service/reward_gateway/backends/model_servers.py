"""Several model servers as one: a model is asked where it is served."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import Message

from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelsAway
from reward_gateway.backends.triton.server import TritonServer
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.errors import Conflict, GatewayError, ModelUnavailable, NotFound
from reward_gateway.sample import Batch, Invalid

M = TypeVar("M", bound=Message)

LISTINGS = {"RepositoryIndex": "models", "ModelStatistics": "model_stats"}
"""Calls of the Open Inference Protocol about all models of a server, and the field of their answers that lists them."""


class ModelServers:
    """Upstreams, and any number of Triton servers, behind the port of one server.

    A name that an upstream has means the upstream. Of Triton servers that serve one model, the first on which it is
    ready is asked; where it does not answer, the next, so that each stands in for those before it. Implements
    :class:`reward_gateway.backends.port.ModelServer`.

    Attributes:
        upstreams: the upstreams.
        passthrough: calls of the Open Inference Protocol, to the Triton that serves the model that they name.
        control: loads a model on the Triton that has it, else on the first.
    """

    def __init__(self, tritons: Sequence[TritonServer], upstreams: UpstreamServer) -> None:
        self.tritons = tuple(tritons)
        self.upstreams = upstreams
        self.passthrough = RoutedPassthrough(self)
        self.control = RoutedControl(self)

    async def models(self) -> list[ModelInfo]:
        named = {info.name: info for info in await self.upstreams.models()}
        answers = await asyncio.gather(*(server.models() for server in self.tritons), return_exceptions=True)
        faults: list[ModelUnavailable] = []
        for answer in answers:
            if isinstance(answer, ModelUnavailable):
                faults.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                for info in answer:
                    known = named.get(info.name)
                    if known is None or (not known.ready and info.ready and info.name not in self.upstreams):
                        named[info.name] = info
        if faults:
            raise ModelsAway(faults[0].message, list(named.values()))
        return list(named.values())

    async def check_tritons(self) -> None:
        """Ask every Triton server what it serves, so that the observer hears of it also while nothing is scored."""
        await asyncio.gather(*(server.check() for server in self.tritons))

    async def info(self, name: str) -> ModelInfo:
        if name in self.upstreams:
            return await self.upstreams.info(name)
        server = self.tritons[0] if len(self.tritons) == 1 else (await self.find_tritons(name))[0]
        return await server.info(name)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        if name in self.upstreams:
            return await self.upstreams.score(name, batch, rows, deadline)
        try:
            servers = await self.find_tritons(name)
        except GatewayError as error:
            reason = Invalid("model_unavailable", error.message)
            return ModelAnswer(np.full((len(rows), 1), np.nan), dict.fromkeys(range(len(rows)), reason))
        answer = await servers[0].score(name, batch, rows, deadline)
        for server in servers[1:]:
            if not _is_away(answer, len(rows)):
                break
            answer = await server.score(name, batch, rows, deadline)
        return answer

    async def find_tritons(self, name: str) -> list[TritonServer]:
        """The Triton servers of a model, at least one: those on which it is ready, else the first that has it.

        A server is asked only if none is known to have it ready: one that hangs delays no model of another. Raises
        NotFound, or ModelUnavailable if one that may have it does not answer.
        """
        if len(self.tritons) == 1:
            return list(self.tritons)
        if ready := [server for server in self.tritons if server.was_ready(name)]:
            return ready
        found = await asyncio.gather(*(server.info(name) for server in self.tritons), return_exceptions=True)
        there: list[TritonServer] = []
        fault: BaseException = NotFound(f"There is no model '{name}' on the model servers.")
        for server, info in zip(self.tritons, found, strict=True):
            if isinstance(info, ModelInfo):
                there.append(server)
                ready += [server] if info.ready else []
            elif not isinstance(info, NotFound):
                fault = info
        if not there:
            raise fault
        return ready or there[:1]

    async def close(self) -> None:
        await asyncio.gather(self.upstreams.close(), *(server.close() for server in self.tritons))


class RoutedPassthrough:
    """Forwards messages to the Triton server of the model that they name, and questions about all models to each."""

    def __init__(self, servers: ModelServers) -> None:
        self._servers = servers

    def handles(self, name: str) -> bool:
        """Whether a model is on a Triton: an upstream does not speak the protocol."""
        return name not in self._servers.upstreams

    async def call(self, method: str, request: Message, answer: type[M], deadline: float) -> M:
        """As :meth:`reward_gateway.backends.triton.passthrough.Passthrough.call`."""
        name = _model_of(request)
        if not name and method in LISTINGS:
            return await self._list_all(method, request, answer, deadline)
        *first, last = await self._servers.find_tritons(name)
        for server in first:
            with contextlib.suppress(ModelUnavailable):
                return await server.passthrough.call(method, request, answer, deadline)
        return await last.passthrough.call(method, request, answer, deadline)

    async def _list_all(self, method: str, request: Message, answer: type[M], deadline: float) -> M:
        """The answers of all Tritons as one. Raises GatewayError if none answers."""
        calls = (server.passthrough.call(method, request, answer, deadline) for server in self._servers.tritons)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        lists = [found for found in answers if not isinstance(found, BaseException)]
        if not lists:
            raise next(iter(answers), NotFound("there is no Triton server"))  # type: ignore[misc]
        rows: dict[tuple[str, str], Any] = {}
        for found in lists:
            for row in getattr(found, LISTINGS[method]):
                rows.setdefault((row.name, row.version), row)
        return answer(**{LISTINGS[method]: rows.values()})

    async def stream(self, request: Message, deadline: float) -> AsyncIterator[Any]:
        """As :meth:`reward_gateway.backends.triton.passthrough.Passthrough.stream`."""
        server, *_ = await self._servers.find_tritons(_model_of(request))
        async for message in server.passthrough.stream(request, deadline):
            yield message


class RoutedControl:
    """Loads and unloads models where they are, or on the first Triton server."""

    def __init__(self, servers: ModelServers) -> None:
        self._servers = servers

    async def load(self, name: str, timeout_s: float) -> None:
        """As :meth:`reward_gateway.backends.triton.control.Control.load`."""
        await (await self._find(name)).control.load(name, timeout_s)

    async def unload(self, name: str, timeout_s: float) -> None:
        """As :meth:`reward_gateway.backends.triton.control.Control.unload`."""
        await (await self._find(name)).control.unload(name, timeout_s)

    async def _find(self, name: str) -> TritonServer:
        if name in self._servers.upstreams:
            raise Conflict(f"{name} is an upstream: it is served while the file of upstreams names it")
        try:
            return (await self._servers.find_tritons(name))[0]
        except NotFound:
            if not self._servers.tritons:
                raise
            return self._servers.tritons[0]


def _is_away(answer: ModelAnswer, rows: int) -> bool:
    """Whether no row was scored because the server, or the model on it, does not answer."""
    return len(answer.invalid) == rows > 0 and all(
        reason.code == "model_unavailable" for reason in answer.invalid.values()
    )


def _model_of(request: Any) -> str:
    fields = request.DESCRIPTOR.fields_by_name
    return str(request.model_name if "model_name" in fields else request.name if "name" in fields else "")
