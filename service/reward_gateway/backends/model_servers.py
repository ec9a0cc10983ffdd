"""Several model servers as one: a model is asked where it is served."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelServer
from reward_gateway.backends.triton.server import TritonServer
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.errors import GatewayError, ModelUnavailable, NotFound
from reward_gateway.sample import Batch

M = TypeVar("M", bound=Message)


class ModelServers:
    """Upstreams, and any number of Triton servers, behind the port of one server.

    A name that an upstream has means the upstream. Of Triton servers that serve one model, the first that is ready is
    asked. Implements :class:`reward_gateway.backends.port.ModelServer`.

    Attributes:
        passthrough: calls of the Open Inference Protocol, to the Triton that serves the model that they name.
        control: loads a model on the Triton that has it, else on the first.
    """

    def __init__(self, tritons: Sequence[TritonServer], upstreams: UpstreamServer) -> None:
        self._tritons = tuple(tritons)
        self.upstreams = upstreams
        self.passthrough = RoutedPassthrough(self)
        self.control = RoutedControl(self)

    async def models(self) -> list[ModelInfo]:
        named = {info.name: info for info in await self.upstreams.models()}
        answers = await asyncio.gather(*(server.models() for server in self._tritons), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, list):
                for info in answer:
                    known = named.get(info.name)
                    if known is None or (not known.ready and info.ready and info.name not in self.upstreams):
                        named[info.name] = info
        faults = [answer for answer in answers if isinstance(answer, BaseException)]
        if faults and len(faults) == len(answers) and not named:
            raise faults[0]
        return list(named.values())

    async def info(self, name: str) -> ModelInfo:
        return await (await self.find(name)).info(name)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        try:
            server: ModelServer = await self.find(name)
        except GatewayError:
            server = self._tritons[0]  # which says of each row why it has no score
        return await server.score(name, batch, rows, deadline)

    async def find(self, name: str) -> ModelServer:
        """The server of a model. Raises NotFound or ModelUnavailable."""
        return self.upstreams if name in self.upstreams else await self.find_triton(name)

    async def find_triton(self, name: str) -> TritonServer:
        """The Triton server of a model: the first on which it is ready. Raises NotFound or ModelUnavailable."""
        if len(self._tritons) == 1:
            return self._tritons[0]
        there: TritonServer | None = None
        fault: GatewayError = NotFound(f"There is no model '{name}' on the model servers.")
        for server in self._tritons:
            try:
                if (await server.info(name)).ready:
                    return server
                there = there or server
            except NotFound:
                continue
            except ModelUnavailable as error:
                fault = error
        if there is None:
            raise fault
        return there

    async def close(self) -> None:
        await asyncio.gather(self.upstreams.close(), *(server.close() for server in self._tritons))


class RoutedPassthrough:
    """Forwards messages to the Triton server of the model that they name."""

    def __init__(self, servers: ModelServers) -> None:
        self._servers = servers

    async def call(self, method: str, request: Message, answer: type[M], deadline: float) -> M:
        """As :meth:`reward_gateway.backends.triton.passthrough.Passthrough.call`."""
        server = await self._servers.find_triton(_model_of(request))
        return await server.passthrough.call(method, request, answer, deadline)

    async def stream(self, request: Message, deadline: float) -> AsyncIterator[Any]:
        """As :meth:`reward_gateway.backends.triton.passthrough.Passthrough.stream`."""
        server = await self._servers.find_triton(_model_of(request))
        async for message in server.passthrough.stream(request, deadline):
            yield message


class RoutedControl:
    """Loads and unloads models where they are, or on the first Triton server."""

    def __init__(self, servers: ModelServers) -> None:
        self._servers = servers

    async def load(self, name: str, timeout_s: float) -> None:
        await (await self._find(name)).control.load(name, timeout_s)

    async def unload(self, name: str, timeout_s: float) -> None:
        await (await self._find(name)).control.unload(name, timeout_s)

    async def _find(self, name: str) -> TritonServer:
        return await self._servers.find_triton(name)


def _model_of(request: Any) -> str:
    fields = request.DESCRIPTOR.fields_by_name
    return str(request.model_name if "model_name" in fields else request.name if "name" in fields else "")
