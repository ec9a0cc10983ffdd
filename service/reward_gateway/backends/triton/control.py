"""Loads and unloads models on a Triton server with ``--model-control-mode=explicit``."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from tritonclient.grpc import service_pb2

from reward_gateway.backends.triton.passthrough import Passthrough
from reward_gateway.errors import Conflict, InternalError, InvalidRequest


class Control:
    """Model control of one server; the gateway's directory of models is renewed before a call returns.

    Args:
        passthrough: calls the server.
        renew: renews that directory.
    """

    def __init__(self, passthrough: Passthrough, renew: Callable[[], Awaitable[Any]]) -> None:
        self._passthrough = passthrough
        self._renew = renew

    async def load(self, name: str, timeout_s: float) -> None:
        """Load or reload a model; unchanged versions keep serving meanwhile.

        Raises:
            Conflict: the server cannot load it, with its reason; what was served before stays served.
            ModelUnavailable, DeadlineExceeded: it did not answer.
        """
        await self._send_change(
            "RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name=name), timeout_s
        )

    async def unload(self, name: str, timeout_s: float) -> None:
        """Unload a model; requests in flight are answered. Raises as :meth:`load`."""
        await self._send_change(
            "RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name=name), timeout_s
        )

    async def _send_change(self, method: str, request: Any, timeout_s: float) -> None:
        answer = getattr(service_pb2, f"{method}Response")
        try:
            await self._passthrough.call(method, request, answer, asyncio.get_running_loop().time() + timeout_s)
        except (InvalidRequest, InternalError) as error:
            raise Conflict(f"the model server refused: {error.message}") from None
        finally:
            await self._renew()


class Controls(Protocol):
    """Loads and unloads models; see :class:`Control`."""

    async def load(self, name: str, timeout_s: float) -> None: ...

    async def unload(self, name: str, timeout_s: float) -> None: ...


@runtime_checkable
class Controlled(Protocol):
    """A model server with model control."""

    @property
    def control(self) -> Controls: ...
