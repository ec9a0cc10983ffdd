"""The gRPC server of one process: RewardService, health and reflection on one port.

Several processes may listen on the same port (SO_REUSEPORT); the kernel shares connections out among them.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from reward_gateway.gateway import Gateway
from reward_gateway.intake.kept_answers import KeptAnswers
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.settings import Settings
from reward_gateway.telemetry.traces import Tracer
from reward_gateway.traffic.guard import Traffic
from reward_gateway.traffic.message_places import MessagePlaces
from reward_gateway.traffic.open_files import count_connections
from reward_gateway.traffic.tls import TlsFiles, TlsReloader

from .health import GatewayHealth
from .job_calls import JobParts
from .messages import OpenCalls
from .service import SERVICE, RewardService

_HANDSHAKE_MS = 10_000

_LOOKAHEAD_BYTES = 64 << 10

_MAX_PENDING = 1 << 16
"""Calls that may wait to be looked at, before admission control. By default gRPC drops some beyond 1,000 and all beyond
3,000, with the status CANCELLED, which says neither why nor when to try again."""


_OPEN_PLACES = 16
"""Messages that are received at once of calls that need no key."""


class GrpcServer:
    """A server that is listening."""

    def __init__(self, server: grpc.aio.Server, port: int, keeper: asyncio.Task[None]) -> None:
        self._server = server
        self._keeper = keeper
        self.port = port

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, let calls in progress finish for ``grace_s`` seconds, then cancel them."""
        self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        await self._server.stop(grace_s)


async def start(
    gateway: Gateway,
    settings: Settings,
    traffic: Traffic,
    observer: Observer = UNOBSERVED,
    more: Sequence[tuple[str, "grpc.GenericRpcHandler[Any, Any]"]] = (),
    port: int | None = None,
    tracer: Tracer | None = None,
    answers: KeptAnswers | None = None,
    jobs: JobParts | None = None,
) -> GrpcServer:
    """Listen on ``settings.http_host`` and ``settings.grpc_port``.

    Args:
        more: further services, by their full names.
        tracer: creates one span per call; None creates none.
        answers: kept for requests that come again; None: the server keeps its own.
        jobs: those that HTTP takes, too; None: the server makes its own.
        port: another port than the settings'; 0 takes any free one (see :attr:`GrpcServer.port`).

    Raises:
        OSError: the address cannot be listened on.
        TlsFilesError: the files of TLS cannot be used.
    """
    ours = RewardService(gateway, settings, traffic, observer, tracer, answers, jobs)
    services = {SERVICE: ours.handler(), **dict(more)}
    open_places = MessagePlaces(_OPEN_PLACES, settings.max_queued + _OPEN_PLACES, observer)
    calls: Any = OpenCalls(open_places, settings, services)
    checks = GatewayHealth(gateway, traffic.drain, tuple(services))
    health_pb2_grpc.add_HealthServicer_to_server(checks, calls)
    names = *services, health.SERVICE_NAME, reflection.SERVICE_NAME
    reflected = reflection.aio.ReflectionServicer(names)  # type: ignore[attr-defined] # it is exported
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflected, calls)
    server = grpc.aio.server(options=_channel_options(settings))
    server.add_generic_rpc_handlers((calls,))
    requested_port = settings.grpc_port if port is None else port
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    try:
        address = f"{host}:{requested_port}"
        if files := TlsFiles.of(settings):
            bound_port = server.add_secure_port(address, _reloading_credentials(files))
        else:
            bound_port = server.add_insecure_port(address)
    except RuntimeError:
        raise OSError(f"gRPC cannot listen on {host}:{requested_port}; is the port in use?") from None
    await checks.refresh_statuses()
    await server.start()
    return GrpcServer(server, bound_port, asyncio.create_task(checks.refresh_forever(), name="grpc-health"))


def _reloading_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials of which every handshake takes the newest files. Raises TlsFilesError."""
    reloader = TlsReloader(files)

    def configuration() -> grpc.ServerCertificateConfiguration:
        material = reloader.material
        return grpc.ssl_server_certificate_configuration([(material.key, material.certificate)], material.client_ca)

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        return configuration() if reloader.refresh() else None

    # The fetcher may answer None, for "as before", which the stubs do not know.
    return grpc.dynamic_ssl_server_credentials(configuration(), fetch, files.client_ca is not None)  # type: ignore[arg-type]


def _channel_options(settings: Settings) -> list[tuple[str, int]]:
    idle_ms = round(settings.idle_timeout_s * 1e3)
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", settings.max_header_bytes),
        ("grpc.absolute_max_metadata_size", settings.max_header_bytes),
        ("grpc.max_allowed_incoming_connections", count_connections(settings)),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        # An idle connection is told to go, which its client does not notice: the next call opens another one.
        ("grpc.max_connection_idle_ms", idle_ms),
        # A peer that does not answer a ping is gone, with all its calls.
        ("grpc.keepalive_time_ms", idle_ms),
        ("grpc.keepalive_timeout_ms", round(settings.header_timeout_s * 1e3)),
        # What the transport holds of a message that nobody has asked for yet. Probing would raise it to megabytes, for
        # a speed that a message under way has anyway, since all of it is asked for.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _LOOKAHEAD_BYTES),
        ("grpc.server.max_pending_requests", _MAX_PENDING),
        ("grpc.server.max_pending_requests_hard_limit", _MAX_PENDING),
        # Trainers keep connections open through long rollouts and may ping to keep them.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
