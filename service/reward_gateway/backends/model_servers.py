"""Triton servers and upstreams as one model server."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

from google.protobuf.message import Message

from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelsAway
from reward_gateway.backends.triton.servers import TritonServers
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.errors import Conflict, ModelUnavailable
from reward_gateway.sample import Batch

M = TypeVar("M", bound=Message)


class ModelServers:
    """Upstreams and Triton servers behind the port of one server. A name that an upstream has means the upstream.

    Implements :class:`reward_gateway.backends.port.ModelServer`.

    Attributes:
        tritons, upstreams: what it stands for.
        passthrough: calls of the Open Inference Protocol, of models on Triton.
        control: loads and unloads models on Triton.
    """

    def __init__(self, tritons: TritonServers, upstreams: UpstreamServer) -> None:
        self.tritons = tritons
        self.upstreams = upstreams
        self.passthrough = TritonPassthrough(self)
        self.control = TritonControl(self)

    def list_pools(self) -> list[str]:
        """The models of pools that may have no server."""
        return [*self.upstreams.list_pools(), *self.tritons.declared]

    async def models(self) -> list[ModelInfo]:
        infos = await self.upstreams.models()
        try:
            infos += [info for info in await self.tritons.models() if info.name not in self.upstreams]
        except ModelsAway as away:
            infos += [info for info in away.known if info.name not in self.upstreams]
            raise ModelsAway(away.message, infos) from None
        except ModelUnavailable as away:
            raise ModelsAway(away.message, infos) from None
        return infos

    async def info(self, name: str) -> ModelInfo:
        return await (self.upstreams if name in self.upstreams else self.tritons).info(name)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        server = self.upstreams if name in self.upstreams else self.tritons
        return await server.score(name, batch, rows, deadline)

    async def close(self) -> None:
        await self.upstreams.close()
        await self.tritons.close()


class TritonPassthrough:
    """Implements :class:`reward_gateway.backends.triton.passthrough.Forwards`, for what is no upstream."""

    def __init__(self, servers: ModelServers) -> None:
        self._servers = servers

    def handles(self, name: str) -> bool:
        """Whether a model is on a Triton: an upstream does not speak the protocol."""
        return name not in self._servers.upstreams

    async def call(self, method: str, request: Message, answer: type[M], deadline: float) -> M:
        """As :meth:`reward_gateway.backends.triton.routing.RoutedPassthrough.call`."""
        return await self._servers.tritons.passthrough.call(method, request, answer, deadline)

    async def stream(self, request: Message, deadline: float) -> AsyncIterator[Any]:
        """As :meth:`reward_gateway.backends.triton.routing.RoutedPassthrough.stream`."""
        async for message in self._servers.tritons.passthrough.stream(request, deadline):
            yield message


class TritonControl:
    """Implements :class:`reward_gateway.backends.triton.control.Controls`, for what is no upstream."""

    def __init__(self, servers: ModelServers) -> None:
        self._servers = servers

    async def load(self, name: str, timeout_s: float) -> None:
        """As :meth:`reward_gateway.backends.triton.routing.RoutedControl.load`."""
        self._refuse_upstream(name)
        await self._servers.tritons.control.load(name, timeout_s)

    async def unload(self, name: str, timeout_s: float) -> None:
        """As :meth:`reward_gateway.backends.triton.routing.RoutedControl.unload`."""
        self._refuse_upstream(name)
        await self._servers.tritons.control.unload(name, timeout_s)

    def _refuse_upstream(self, name: str) -> None:
        if name in self._servers.upstreams:
            raise Conflict(f"{name} is an upstream: it is served while the file of upstreams names it")
