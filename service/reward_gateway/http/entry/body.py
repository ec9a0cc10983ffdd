"""The request body: read whole, within its limits, before the request takes its place in the queue.

What cannot be answered is refused at the headers: a body that is too large, a queue that is too long, a process that
holds too many bytes already. A body that arrives too slowly is refused as well. The routes get it decompressed.
"""

import asyncio

from starlette.types import Receive, Scope

from reward_gateway.errors import DeadlineExceeded, SlowRequest
from reward_gateway.settings import Settings
from reward_gateway.traffic.body import declared_size, decompress, encoding_of, too_large
from reward_gateway.traffic.body_budget import Reservation
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.guard import Traffic

from ..call import Call, caller_of
from .disconnect import ClientGone

JOBS = "/v1/jobs"
"""Where a body may be larger: what it holds is scored piece by piece."""

_LOOP_BYTES = 4 << 10
"""Compressed bodies up to this size are opened on the event loop; more goes to a thread."""


ARRIVED = "reward_gateway.arrived"
"""Entry of a request's scope: its whole body, where all of it came before anybody looked."""


class BodyReader:
    """Reads, bounds and decompresses request bodies."""

    def __init__(self, settings: Settings, traffic: Traffic) -> None:
        self._settings = settings
        self._limit = settings.max_body_bytes
        self._job_limit = min(settings.max_job_body, traffic.bodies.limit)
        self._traffic = traffic

    def reserve(self, call: Call, scope: Scope, *, queues: bool = True) -> Reservation:
        """Check the headers of a body, and hold room for as much as they declare.

        Args:
            queues: the request will take a place among those that are worked on.

        Raises:
            UnsupportedMediaType, TooLarge, MalformedBody: its encoding or its length.
            Overloaded: the request would wait too long, or there is no room for its body.
        """
        encoding_of(call.headers.get("content-encoding"))
        size = declared_size(call.headers.get("content-length"), self._limit_of(scope))
        if queues:
            self._traffic.admission.check_wait(call.due_at)
        return self._traffic.bodies.reserve(caller_of(call, scope), size)

    async def read(self, call: Call, scope: Scope, receive: Receive, reservation: Reservation) -> bytes:
        """The whole body, decompressed.

        Raises:
            ClientGone: the client left.
            TooLarge, Overloaded: there is more of it than may be, or than there is room for.
            SlowRequest, DeadlineExceeded: it did not arrive in time.
            MalformedBody: its compression is broken.
        """
        body: bytes | None = scope.get(ARRIVED)
        if body is None:
            body = await self._receive(receive, call, reservation, self._limit_of(scope))
        else:
            _hold(len(body), reservation, self._limit_of(scope))
        encoding = encoding_of(call.headers.get("content-encoding"))
        if encoding is not None and body:
            body = await _decompress(body, encoding, self._limit_of(scope))
            reservation.grow(len(body))
        return body

    def _limit_of(self, scope: Scope) -> int:
        """Maximum bytes of a body of this path."""
        return self._job_limit if scope["path"] == JOBS else self._limit

    async def _receive(self, receive: Receive, call: Call, reservation: Reservation, limit: int) -> bytes:
        deadline = deadline_at(call.arrived_at, self._settings, call.deadline_s)
        began = asyncio.get_running_loop().time()
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            slowest = began + self._settings.body_grace_s + size / self._settings.min_body_rate
            try:
                async with asyncio.timeout_at(min(deadline, slowest)):
                    message = await receive()
            except TimeoutError:
                if slowest < deadline:
                    raise SlowRequest(
                        f"the body arrived at less than {self._settings.min_body_rate:g} bytes per second"
                    ) from None
                raise DeadlineExceeded("the deadline passed before the whole body had arrived") from None
            if message["type"] != "http.request":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            _hold(size, reservation, limit)
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)


def _hold(size: int, reservation: Reservation, limit: int) -> None:
    if size > limit:
        raise too_large(limit)
    reservation.grow(size)


async def _decompress(data: bytes, encoding: str, limit: int) -> bytes:
    if len(data) <= _LOOP_BYTES:
        return decompress(data, encoding, limit)
    return await asyncio.to_thread(decompress, data, encoding, limit)
