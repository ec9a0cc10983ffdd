"""Redis with little overhead: one MGET for many keys, one pipeline of SETs, encoded here in RESP.

redis-py opens and pools the connections (address, TLS, login, parsing by hiredis). Its command layer is bypassed: it
costs several microseconds per key and has retries of its own. Each call makes one attempt within a time limit and
raises :class:`StoreFailed` with the kind of fault if that fails.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from redis import exceptions
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from reward_gateway.observer import CacheFault

CHUNK = 4096
"""Keys per MGET, so that a large request does not block the server for others."""


class StoreFailed(Exception):
    """A call to the store failed. ``unreachable``: the store may be down, as opposed to refusing the command."""

    def __init__(self, kind: CacheFault) -> None:
        super().__init__(kind)
        self.kind = kind

    @property
    def unreachable(self) -> bool:
        return self.kind in ("timeout", "connection", "auth", "other")


class Store(Protocol):
    """Binary keys and values in Redis. Every call raises :class:`StoreFailed`."""

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values in the order of the keys, None for a missing one."""
        ...

    async def set_many(self, items: Sequence[tuple[bytes, bytes]], ttl_ms: int, timeout_s: float) -> int:
        """Store values; returns how many were accepted, at least one."""
        ...

    async def ping(self) -> None:
        """Check that the store answers."""
        ...

    async def close(self) -> None: ...


def connection_options(timeout_s: float, connections: int) -> dict[str, Any]:
    """Options of a pool of at most so many connections, each opened within a time limit."""
    return {
        "protocol": 2,
        "max_connections": connections,
        "socket_connect_timeout": timeout_s,
        "socket_timeout": None,  # the whole call has a limit; a timer per read would cost more than the read
        "retry": Retry(NoBackoff(), 0),
    }


class ServerStore:
    """Binary keys and values on one server.

    Args:
        pool: connections to it, with the options of :func:`connection_options`.
        timeout_s: limit for connecting, sending and reading together.
    """

    def __init__(self, pool: ConnectionPool, timeout_s: float) -> None:
        self._pool, self._timeout_s = pool, timeout_s

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        values: list[bytes | None] = []
        async with self._use_connection(self._timeout_s) as connection:
            for at in range(0, len(keys), CHUNK):
                part = keys[at : at + CHUNK]
                await connection.send_packed_command([encode_mget(part)], check_health=False)
                reply = await connection.read_response()
                if not isinstance(reply, list) or len(reply) != len(part):
                    raise exceptions.InvalidResponse("no reply to MGET")
                values += [value if type(value) is bytes else None for value in reply]
        return values

    async def get_each(self, keys: Sequence[bytes]) -> list[bytes | exceptions.ResponseError | None]:
        """Values in the order of the keys by a GET for each, as a Cluster needs it for keys of several slots; the error
        of a key that the server refuses. Raises StoreFailed."""
        values: list[bytes | exceptions.ResponseError | None] = []
        async with self._use_connection(self._timeout_s) as connection:
            for at in range(0, len(keys), CHUNK):
                part = keys[at : at + CHUNK]
                await connection.send_packed_command([encode_gets(part)], check_health=False)
                for _ in part:
                    try:
                        values.append(await connection.read_response())
                    except exceptions.ResponseError as error:
                        values.append(error)
        return values

    async def set_many(self, items: Sequence[tuple[bytes, bytes]], ttl_ms: int, timeout_s: float) -> int:
        refusal: exceptions.ResponseError | None = None
        stored_count = 0
        async with self._use_connection(timeout_s) as connection:
            await connection.send_packed_command([encode_sets(items, ttl_ms)], check_health=False)
            for _ in items:
                try:
                    await connection.read_response()
                    stored_count += 1
                except exceptions.ResponseError as error:
                    refusal = error
        if refusal is not None and not stored_count:
            raise StoreFailed(classify_fault(refusal))
        return stored_count

    async def ping(self) -> None:
        async with self._use_connection(self._timeout_s) as connection:
            await connection.send_packed_command([b"*1\r\n$4\r\nPING\r\n"], check_health=False)
            await connection.read_response()

    async def close(self) -> None:
        await self._pool.aclose()

    @asynccontextmanager
    async def _use_connection(self, timeout_s: float) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
                try:
                    yield connection
                except exceptions.ResponseError:
                    raise  # a complete reply: the connection is still in step
                except BaseException:
                    await connection.disconnect(nowait=True)
                    raise
                finally:
                    await self._pool.release(connection)
        except Exception as error:
            raise StoreFailed(classify_fault(error)) from None


def encode_mget(keys: Sequence[bytes]) -> bytes:
    """The MGET command in RESP; fast where all keys have the same length, as cache keys do."""
    return b"*%d\r\n$4\r\nMGET\r\n" % (len(keys) + 1) + _encode_arguments(keys)


def encode_gets(keys: Sequence[bytes]) -> bytes:
    """A pipeline of ``GET key`` commands in RESP."""
    return b"".join([b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key in keys])


def encode_sets(items: Sequence[tuple[bytes, bytes]], ttl_ms: int) -> bytes:
    """A pipeline of ``SET key value PX ttl`` commands in RESP."""
    ttl = b"%d" % ttl_ms
    tail = b"\r\n$2\r\nPX\r\n$%d\r\n%b\r\n" % (len(ttl), ttl)
    return b"".join(
        [
            b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b%b" % (len(key), key, len(value), value, tail)
            for key, value in items
        ]
    )


def _encode_arguments(values: Sequence[bytes]) -> bytes:
    lengths = set(map(len, values))
    if len(lengths) == 1:
        head = b"$%d\r\n" % lengths.pop()
        return head + (b"\r\n" + head).join(values) + b"\r\n"
    return b"".join([b"$%d\r\n%b\r\n" % (len(value), value) for value in values])


_FAULT_KINDS: tuple[tuple[type[BaseException], CacheFault], ...] = (
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


def classify_fault(error: BaseException) -> CacheFault:
    """The kind of a fault: the first match in the table, as some classes are subclasses of others."""
    return next((kind for cls, kind in _FAULT_KINDS if isinstance(error, cls)), "other")
