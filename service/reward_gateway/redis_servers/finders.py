"""Which server has the keys: asked of Sentinels, or of the nodes of a Cluster, each time a connection is opened."""

from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Unreached
from redis.exceptions import RedisError

from .address import RedisAddress

Host = tuple[str, int]


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
        self._address, self._timeout_s, self._options = address, timeout_s, options
        self._sentinels = list(address.hosts)

    async def find(self) -> Host:
        unknown = False
        for place, sentinel in enumerate(self._sentinels):
            try:
                answer = await ask(
                    self._address, sentinel, self._timeout_s, self._options,
                    "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.master,
                )  # fmt: skip
            except (RedisError, OSError, TimeoutError):
                continue
            if answer:
                self._sentinels.insert(0, self._sentinels.pop(place))  # the next connection asks it first
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
        self._address, self._slot, self._timeout_s, self._options = address, slot, timeout_s, options
        self._nodes = list(address.hosts)

    async def find(self) -> Host:
        for first, last, host in await self.list_slots():
            if first <= self._slot <= last:
                return host
        raise Unreached(f"no node of the Cluster has the slot {self._slot} ({self._address})")

    async def list_slots(self) -> list[tuple[int, int, Host]]:
        """First and last slot of each range, and the master that has it. Raises redis.exceptions.ConnectionError."""
        for node in list(self._nodes):
            try:
                answer = await ask(self._address, node, self._timeout_s, self._options, "CLUSTER", "SLOTS")
            except (RedisError, OSError, TimeoutError):
                continue
            ranges = [(int(first), int(last), _host_of(owner, node)) for first, last, owner, *_ in answer]
            if ranges:
                nodes = [_host_of(each, node) for _, _, *owners in answer for each in owners]
                # Nodes that joined are asked too, so that all those that were named may go.
                self._nodes = list(dict.fromkeys([node, *nodes, *self._address.hosts]))
                return ranges
        raise Unreached(f"no node of the Cluster answers ({self._address})")


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
