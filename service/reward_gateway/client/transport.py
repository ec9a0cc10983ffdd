"""The transport of a call: HTTP or gRPC, by the scheme of the URL."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from .http import AsyncHttpTransport, HttpTransport
from .job_calls import JobCall
from .tls import ClientTls
from .wire import ScoreAnswer

T = TypeVar("T")


class Transport(Protocol):
    """One attempt at each call, which has ``left_s`` seconds. Raises GatewayError.

    ``key`` makes a repeat the same; ``step`` is the trainer's.
    """

    def score(self, body: Mapping[str, Any], left_s: float, key: str, step: int | None = None) -> ScoreAnswer: ...

    def apply(self, kind: str, name: str, body: Mapping[str, Any], left_s: float, key: str) -> list[dict[str, Any]]: ...

    def get(self, listing: str, left_s: float) -> dict[str, Any]: ...

    def post(self, path: str, body: Mapping[str, Any], left_s: float, key: str) -> dict[str, Any]: ...

    def call(self, call: JobCall[T], left_s: float, key: str | None = None, step: int | None = None) -> T: ...

    def ready(self, left_s: float) -> bool: ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """The same, awaited."""

    async def score(self, body: Mapping[str, Any], left_s: float, key: str, step: int | None = None) -> ScoreAnswer: ...

    async def apply(
        self, kind: str, name: str, body: Mapping[str, Any], left_s: float, key: str
    ) -> list[dict[str, Any]]: ...

    async def get(self, listing: str, left_s: float) -> dict[str, Any]: ...

    async def call(self, call: JobCall[T], left_s: float, key: str | None = None, step: int | None = None) -> T: ...

    async def ready(self, left_s: float) -> bool: ...

    async def close(self) -> None: ...


def transport_of(url: str, api_key: str | None, tls: ClientTls, run: str | None = None) -> Transport:
    """The transport of an address: ``http(s)://host:port`` or ``grpc(s)://host:port``, with what the address names."""
    if is_grpc(url):
        from .grpc import GrpcTransport

        return GrpcTransport(url, api_key, tls, run)
    return HttpTransport(url, api_key, tls, run)


def async_transport_of(url: str, api_key: str | None, tls: ClientTls, run: str | None = None) -> AsyncTransport:
    """As :func:`transport_of`."""
    if is_grpc(url):
        from .grpc import AsyncGrpcTransport

        return AsyncGrpcTransport(url, api_key, tls, run)
    return AsyncHttpTransport(url, api_key, tls, run)


def is_grpc(url: str) -> bool:
    """Whether an address is gRPC's. Raises ValueError for a scheme that is not spoken here."""
    scheme = url.partition("://")[0]
    if scheme not in ("http", "https", "grpc", "grpcs") or "://" not in url:
        raise ValueError(f"the address {url!r} must start with http://, https://, grpc:// or grpcs://")
    return scheme.startswith("grpc")
