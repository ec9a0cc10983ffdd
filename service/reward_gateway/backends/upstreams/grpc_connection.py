"""A server of the Open Inference Protocol over gRPC."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import grpc
from tritonclient.grpc import service_pb2_grpc

from reward_gateway.backends.outgoing_http import trusted_certificates
from reward_gateway.sample import Invalid

from .failures import Refused, ReplicaFailed, too_long

OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

_FAULTY = frozenset((grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE))
_ABSENT = frozenset((grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED))
_DENIED = frozenset((grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED))


class GrpcConnection:
    """A channel to ``grpc://host:port``, or with TLS to ``grpcs://host:port``.

    Args:
        key: the API key; empty: none.
        host: the name that is asked for and that the certificate has; empty: the address has it.
    """

    def __init__(self, url: str, key: str, host: str = "") -> None:
        address = urlsplit(url).netloc
        named = (("grpc.default_authority", host),) if host else ()
        if url.startswith("grpcs:"):
            checked = (("grpc.ssl_target_name_override", host.partition(":")[0]),) if host else ()
            credentials = grpc.ssl_channel_credentials(trusted_certificates())
            self._channel = grpc.aio.secure_channel(address, credentials, options=(*OPTIONS, *named, *checked))
        else:
            self._channel = grpc.aio.insecure_channel(address, options=(*OPTIONS, *named))
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {key}"),) if key else ()

    async def call(self, name: str, method: str, request: Any, timeout_s: float) -> Any:
        """The answer to a request of the protocol; ``name`` is the server's in messages.

        Raises:
            ReplicaFailed: the server did not answer, or not now.
            Refused: it refuses this request.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await getattr(self._stub, method)(request, metadata=self._metadata)
        except TimeoutError:
            reason = Invalid("model_unavailable", f"{name} did not answer within {timeout_s:g} s.")
            raise ReplicaFailed(reason, timed_out=True) from None
        except grpc.aio.AioRpcError as error:
            raise translate_status(name, error.code(), error.details() or "") from None

    async def close(self) -> None:
        await self._channel.close(None)


def translate_status(name: str, code: grpc.StatusCode, details: str) -> ReplicaFailed | Refused:
    """The failure that a status of gRPC is; of its details nothing is passed on."""
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ReplicaFailed(Invalid("overloaded", f"{name} has too much to do."), busy=True)
    if code in _DENIED:
        return Refused(Invalid("model_error", f"{name} refuses the key; see api_key_env."))
    if code in _ABSENT:
        return Refused(Invalid("model_error", f"{name} has no such model; see `model`."))
    if code in _FAULTY:
        if too_long(details):
            return Refused(Invalid("too_large", f"The text is too long for {name}.", param="response"), rows=True)
        return Refused(Invalid("invalid_field", f"{name} refuses the sample.", param="response"), rows=True)
    reason = Invalid("model_unavailable", f"{name} cannot be reached ({code.name}).")
    return ReplicaFailed(reason, lost=code is grpc.StatusCode.UNAVAILABLE)
