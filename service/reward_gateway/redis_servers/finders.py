"""Which server has the keys: asked of Sentinels, or of the nodes of a Cluster, each time a connection is opened."""

from collections.abc import AsyncIterator
from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Unreached
from redis.exceptions import RedisError

from .address import RedisAddress

Host = tuple[str, int]

LEAST_S = 1.0
"""Least time that a server has to say where another one is; the call that asks has a limit of its own."""


class Finder(Protocol):
    """Finds the server of a client's keys."""

    checks_role: bool
    """Whether a server may be a replica although it was named: its role is asked."""

    async def find(self) -> Host:
        """Host and port. Raises redis.exceptions.ConnectionError if nobody knows."""
        ...


class MasterFinder:
    """The master that Sentinels name: the first one that answers is believed.

    Args:
        options: of connections to the Sentinels.
    """

    checks_role = True

    def __init__(self, address: RedisAddress, timeout_s: float, options: dict[str, Any]) -> None:
        self._address, self._informants = address, Informants(address, timeout_s, options)

    async def find(self) -> Host:
        unknown = False
        async for _, answer in self._informants.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.master):
            if answer:
                host, port = answer
                return _decode(host), int(port)
            unknown = True
        known = f"know no master {self._address.master!r}" if unknown else "do not answer"
        raise Unreached(f"the Sentinels {known} ({self._address})")


class SlotFinder:
    """The master of a slot of a Cluster.

    Args:
        slot: 0 to 16383.
        options: of connections to the nodes.
    """

    checks_role = False  # a node that has not got the slot says so itself (MOVED)

    def __init__(self, address: RedisAddress, slot: int, timeout_s: float, options: dict[str, Any]) -> None:
        self._address, self._slot, self._informants = address, slot, Informants(address, timeout_s, options)

    async def find(self) -> Host:
        for first, last, host in await self.list_slots():
            if first <= self._slot <= last:
                return host
        raise Unreached(f"no node of the Cluster has the slot {self._slot} ({self._address})")

    async def list_slots(self) -> list[tuple[int, int, Host]]:
        """First and last slot of each range, and the master that has it. Raises redis.exceptions.ConnectionError."""
        async for node, answer in self._informants.ask("CLUSTER", "SLOTS"):
            ranges = [(int(first), int(last), _host_of(owner, node)) for first, last, owner, *_ in answer]
            if ranges:
                nodes = [_host_of(each, node) for _, _, *owners in answer for each in owners]
                # Nodes that joined are asked too, so that all those that were named may go.
                self._informants.hosts = list(dict.fromkeys([node, *nodes, *self._address.hosts]))
                return ranges
        raise Unreached(f"no node of the Cluster answers ({self._address})")


class Informants:
    """Servers that know where others are.

    Attributes:
        hosts: in the order in which they are asked; the one that answered last is the first.
    """

    def __init__(self, address: RedisAddress, timeout_s: float, options: dict[str, Any]) -> None:
        self.hosts = list(address.hosts)
        self._address, self._options = address, options
        self._each_s = max(LEAST_S, timeout_s / (len(self.hosts) + 1))

    async def ask(self, *command: str) -> AsyncIterator[tuple[Host, Any]]:
        """Those who answer a command, and their answers."""
        for host in list(self.hosts):
            # One that hangs may use up the time of the whole call, which is then cancelled: the next call asks it last.
            self._move(host, len(self.hosts))
            try:
                answer = await ask(self._address, host, self._each_s, self._options, *command)
            except (RedisError, OSError, TimeoutError):
                continue
            self._move(host, 0)
            yield host, answer

    def _move(self, host: Host, place: int) -> None:
        if host in self.hosts:
            self.hosts.remove(host)
            self.hosts.insert(place, host)


async def ask(address: RedisAddress, host: Host, timeout_s: float, options: dict[str, Any], *command: str) -> Any:
    """One server's answer to a command, over a connection that is closed again."""
    pool = ConnectionPool(
        connection_class=SSLConnection if address.tls else Connection,
        host=host[0],
        port=host[1],
        socket_connect_timeout=timeout_s,
        socket_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **options,
    )
    client = Redis.from_pool(pool)
    client.response_callbacks.clear()  # answers as they are sent, whatever the client makes of them
    try:
        return await client.execute_command(*command)  # type: ignore[no-untyped-call]
    finally:
        await client.aclose()


def _host_of(owner: Any, asked: Host) -> Host:
    """Host and port of a node; without a host it is the one that was asked."""
    host, port = cast("list[Any]", owner)[:2]
    return _decode(host) if host else asked[0], int(port)


def _decode(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
