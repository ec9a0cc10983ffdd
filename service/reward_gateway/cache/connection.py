"""Redis without ceremony: one MGET for many keys, one pipeline of SETs, written by hand in RESP.

redis-py makes and keeps the connections (address, TLS, login, parsing by hiredis); its command layer, which costs
several microseconds a key and retries on its own account, is left out. One attempt, within a time limit, or one
:class:`StoreFailed` that says what kind of fault it was.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis import exceptions
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from reward_gateway.observer import CacheFault

CHUNK = 4096
"""Keys of one MGET, so that a large request does not keep the server from others for long."""


class StoreFailed(Exception):
    """The store could not be asked. ``unreachable``: it may be gone, as opposed to unwilling."""

    def __init__(self, kind: CacheFault) -> None:
        super().__init__(kind)
        self.kind = kind

    @property
    def unreachable(self) -> bool:
        return self.kind in ("timeout", "connection", "auth", "other")


class Store:
    """Binary keys and values on a Redis server.

    Args:
        url: ``redis://`` or ``rediss://`` address.
        timeout_s: for connecting, asking and reading together.
        connections: the most that are open at once.
    """

    def __init__(self, url: str, timeout_s: float, connections: int) -> None:
        self._timeout_s = timeout_s
        self._pool: ConnectionPool = ConnectionPool.from_url(
            url,
            protocol=2,
            max_connections=connections,
            socket_connect_timeout=timeout_s,
            socket_timeout=None,  # the whole call has a limit; a timer a read would cost more than the read
            retry=Retry(NoBackoff(), 0),
        )

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values in the order of the keys. Raises StoreFailed."""
        values: list[bytes | None] = []
        async with self._ask(self._timeout_s) as connection:
            for at in range(0, len(keys), CHUNK):
                part = keys[at : at + CHUNK]
                await connection.send_packed_command([mget(part)], check_health=False)
                reply = await connection.read_response()
                if not isinstance(reply, list) or len(reply) != len(part):
                    raise exceptions.InvalidResponse("no reply to MGET")
                values += [value if type(value) is bytes else None for value in reply]
        return values

    async def set_many(self, items: Sequence[tuple[bytes, bytes]], ttl_ms: int, timeout_s: float) -> int:
        """Store values; returns how many the server took. Raises StoreFailed if it took none."""
        refused: exceptions.ResponseError | None = None
        taken = 0
        async with self._ask(timeout_s) as connection:
            await connection.send_packed_command([sets(items, ttl_ms)], check_health=False)
            for _ in items:
                try:
                    await connection.read_response()
                    taken += 1
                except exceptions.ResponseError as error:
                    refused = error
        if refused is not None and not taken:
            raise StoreFailed(kind_of(refused))
        return taken

    async def ping(self) -> None:
        """Raises StoreFailed if the server does not answer."""
        async with self._ask(self._timeout_s) as connection:
            await connection.send_packed_command([b"*1\r\n$4\r\nPING\r\n"], check_health=False)
            await connection.read_response()

    async def close(self) -> None:
        await self._pool.aclose()

    @asynccontextmanager
    async def _ask(self, timeout_s: float) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
                try:
                    yield connection
                except exceptions.ResponseError:
                    raise  # an answer like any other: what follows on this connection is still in step
                except BaseException:
                    await connection.disconnect(nowait=True)
                    raise
                finally:
                    await self._pool.release(connection)
        except Exception as error:
            raise StoreFailed(kind_of(error)) from None


def mget(keys: Sequence[bytes]) -> bytes:
    """The command, written at once where all keys have one length, as ours have."""
    return b"*%d\r\n$4\r\nMGET\r\n" % (len(keys) + 1) + _arguments(keys)


def sets(items: Sequence[tuple[bytes, bytes]], ttl_ms: int) -> bytes:
    """One ``SET key value PX ttl`` after the other."""
    ttl = b"%d" % ttl_ms
    tail = b"\r\n$2\r\nPX\r\n$%d\r\n%b\r\n" % (len(ttl), ttl)
    return b"".join(
        [
            b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b%b" % (len(key), key, len(value), value, tail)
            for key, value in items
        ]
    )


def _arguments(values: Sequence[bytes]) -> bytes:
    lengths = set(map(len, values))
    if len(lengths) == 1:
        head = b"$%d\r\n" % lengths.pop()
        return head + (b"\r\n" + head).join(values) + b"\r\n"
    return b"".join([b"$%d\r\n%b\r\n" % (len(value), value) for value in values])


_KINDS: tuple[tuple[type[BaseException], CacheFault], ...] = (
    (TimeoutError, "timeout"),
    (exceptions.TimeoutError, "timeout"),
    (exceptions.AuthenticationError, "auth"),
    (exceptions.BusyLoadingError, "loading"),
    (exceptions.ConnectionError, "connection"),
    (exceptions.InvalidResponse, "connection"),
    (OSError, "connection"),
    (exceptions.OutOfMemoryError, "full"),
    (exceptions.ReadOnlyError, "read_only"),
    (exceptions.ResponseError, "response"),
)


def kind_of(error: BaseException) -> CacheFault:
    """What kind of fault it was; the first that fits, as some are subclasses of others."""
    return next((kind for cls, kind in _KINDS if isinstance(error, cls)), "other")
