"""Workers that share a listening socket take connections in turn, so that each has its part of the work.

Otherwise the worker that the kernel wakes first takes all connections that wait, and a trainer that keeps 64 of them
open is served by one process while the others sleep. Here a worker takes one connection per turn of its loop, and
leaves them to the others for a moment while one of those has fewer open.
"""

import asyncio
import socket
from collections.abc import Callable
from ssl import SSLContext

import structlog

from reward_gateway.shared_counts import SharedCounts

log = structlog.get_logger(__name__)

YIELD_S = 0.005
"""Time for which a worker with more connections leaves new ones to the others. Then it takes one itself: they may be
busy."""

EXHAUSTED_S = 0.1
"""Time until another attempt where this process or machine can open no more connections."""


class Acceptor:
    """Accepts the connections of one listening socket for one of several workers.

    Args:
        listener: shared with the other workers; closed by its owner.
        create_protocol: makes the protocol of a connection.
        counts: the workers' open connections.
        count_own: counts this worker's.
        tls: encrypts the connections; None: they are not encrypted.
    """

    def __init__(
        self,
        listener: socket.socket,
        create_protocol: Callable[[], asyncio.Protocol],
        counts: SharedCounts,
        count_own: Callable[[], int],
        tls: SSLContext | None = None,
    ) -> None:
        listener.setblocking(False)
        self._listener, self._create_protocol, self._tls = listener, create_protocol, tls
        self._counts, self._count_own = counts, count_own
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(listener.fileno(), self._take_turn)

    def close(self) -> None:
        """Accept no more connections."""
        self._counts.withdraw()
        self._loop.remove_reader(self._listener.fileno())
        if self._pause is not None:
            self._pause.cancel()

    def _take_turn(self) -> None:
        own = self._count_own() + len(self._opening)
        self._counts.set_own(own)
        least = self._counts.smallest_of_others()
        if least is not None and own > least:
            self._wait(YIELD_S)
        else:
            self._accept()

    def _wait(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._pause = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener.fileno(), self._take_turn)
        self._accept()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker has it, or it is gone
            return
        except OSError as error:
            log.warning("no_more_connections", reason=error.strerror, once_per=error.errno)
            self._wait(EXHAUSTED_S)
            return
        connection.setblocking(False)
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._create_protocol, connection, ssl=self._tls)
        except (OSError, TimeoutError):  # it left again, or its TLS handshake failed
            connection.close()
