"""Loading and unloading of models on a Triton that is told what to serve (``--model-control-mode=explicit``)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from tritonclient.grpc import service_pb2

from reward_gateway.backends.triton.passthrough import Passthrough
from reward_gateway.errors import Conflict, InternalError, InvalidRequest


class Control:
    """Tells one server what to serve; the gateway's own picture of it is renewed before a call returns.

    Args:
        passthrough: calls the server.
        renew: renews that picture.
    """

    def __init__(self, passthrough: Passthrough, renew: Callable[[], Awaitable[Any]]) -> None:
        self._passthrough = passthrough
        self._renew = renew

    async def load(self, name: str, timeout_s: float) -> None:
        """Load a model, or load it anew; versions that did not change go on serving meanwhile.

        Raises:
            Conflict: the server cannot load it, with its reason; what was served before still is.
            ModelUnavailable, DeadlineExceeded: it did not answer.
        """
        await self._send_change(
            "RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name=name), timeout_s
        )

    async def unload(self, name: str, timeout_s: float) -> None:
        """Serve a model no more; requests that it has are answered. Raises as :meth:`load`."""
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


@runtime_checkable
class Controlled(Protocol):
    """A model server that can be told what to serve."""

    control: Control
