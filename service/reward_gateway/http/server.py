"""The HTTP server of one process: uvicorn with bounded connections, which drains before it stops."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.settings import Settings
from reward_gateway.shared_counts import SharedCounts
from reward_gateway.traffic.drain import Drain
from reward_gateway.traffic.open_files import count_connections
from reward_gateway.traffic.tls import TlsFiles, reloading_context

from .acceptor import Acceptor
from .connection import Connection
from .connection_places import ConnectionPlaces
from .websocket_connection import PING_S, WebSocketConnection

log = structlog.get_logger(__name__)

FLUSH_S = 2
"""Whole seconds that the last answers have to be sent, once all work is done."""


class HttpServer(uvicorn.Server):
    """Answers until it is told to leave; then it drains, and stops.

    Told to leave, it is not ready, and goes on answering for ``drain_delay_s`` seconds. Then it drains: it still takes
    connections, new requests are answered 503 with ``Retry-After``, and
    those in flight are finished. What is left after ``drain_s`` seconds is answered 503.

    Args:
        places: counts the connections; None: as many as the settings say.
        counts: the connections of the workers that listen on the same socket; None: there is no other worker.

    Raises:
        TlsFilesError: the certificate or its key cannot be used.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        drain: Drain,
        observer: Observer = UNOBSERVED,
        places: ConnectionPlaces | None = None,
        counts: SharedCounts | None = None,
    ) -> None:
        tls = TlsFiles.of(settings)
        places = ConnectionPlaces(count_connections(settings), observer) if places is None else places
        protocol: Any = partial(Connection, settings=settings, places=places, drain=drain, observer=observer)
        websocket: Any = partial(WebSocketConnection, settings=settings, places=places, observer=observer)
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.http_host,
                port=settings.http_port,
                loop="none",
                http=protocol,
                ws=websocket,
                ws_max_size=settings.max_message_bytes,
                ws_ping_interval=PING_S,
                ws_ping_timeout=PING_S,
                ws_per_message_deflate=False,  # a small message could become a large one
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=4096,
                timeout_graceful_shutdown=FLUSH_S,
                ssl_context_factory=None if tls is None else lambda *_: reloading_context(tls),
            )
        )
        self._drain = drain
        self._drain_delay_s, self._drain_s = settings.drain_delay_s, settings.drain_s
        self._places, self._counts = places, counts
        self._acceptors: list[Acceptor] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen: on sockets that are shared with other workers by turns."""
        if sockets is None or self._counts is None:
            await super().startup(sockets)
            return
        await super().startup([])
        config = self.config
        protocol: Any = config.http_protocol_class  # ours, which takes what uvicorn gives its own
        state = {"server_state": self.server_state, "app_state": self.lifespan.state}
        create_protocol = partial(protocol, config=config, **state)
        count = partial(len, self._places)
        self._acceptors = [Acceptor(each, create_protocol, self._counts, count, config.ssl) for each in sockets]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.leave)
        yield

    def leave(self) -> None:
        """Drain and stop; if called again, cut off what is in flight and stop at once."""
        if self._drain.leaving:
            self.force_exit = True
            self._drain.cut_off()
        elif self._drain_delay_s:
            log.info("leaving", drains_after_s=self._drain_delay_s)
            self._drain.leave()
            asyncio.get_running_loop().call_later(self._drain_delay_s, self._begin_drain)
            return
        self._begin_drain()

    def _begin_drain(self) -> None:
        self._drain.begin()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is in flight while new requests are refused; then stop listening."""
        log.info("draining", in_progress=self._drain.in_progress)
        if not await self._drain.finish(self._drain_s):
            log.warning("requests_cut_off", after_s=self._drain_s)
        for acceptor in self._acceptors:
            acceptor.close()
        await super().shutdown(sockets)
