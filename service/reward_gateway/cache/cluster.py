"""Raw scores on a Redis Cluster: the keys of a call are spread over its nodes, each of which is asked at the same time.

A node that is away costs the values of its slots, not the call: they are missing until a replica takes over, and the
slots are looked up again with the next call. Only if no node answers has the call failed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from redis import exceptions
from redis.crc import key_slot

from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import access_options, make_node_pool
from reward_gateway.redis_servers.finders import Host, SlotFinder

from .connection import ServerStore, StoreFailed, classify_fault, connection_options

T = TypeVar("T")

SLOTS = 16384


class ClusterStore:
    """Implements :class:`.connection.Store` on a Cluster.

    Args:
        timeout_s: limit for connecting, sending and reading together.
        connections: maximum number of open connections to each node.
    """

    def __init__(self, address: RedisAddress, timeout_s: float, connections: int) -> None:
        self._address, self._timeout_s, self._connections = address, timeout_s, connections
        self._finder = SlotFinder(address, 0, timeout_s, access_options(address))
        self._nodes: dict[Host, ServerStore] = {}
        self._owners: list[Host | None] = []  # of each slot; empty: to be looked up
        self._looking = asyncio.Lock()

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        values: list[bytes | None] = [None] * len(keys)

        async def fetch(node: ServerStore, places: list[int]) -> None:
            for place, value in zip(places, await node.get_each([keys[place] for place in places]), strict=True):
                if isinstance(value, bytes):
                    values[place] = value
                elif value is not None:
                    self._forget_slots()  # it has moved: a miss, until they are looked up

        await self._ask_nodes(keys, fetch, self._timeout_s)
        return values

    async def set_many(self, items: Sequence[tuple[bytes, bytes]], ttl_ms: int, timeout_s: float) -> int:
        async def store(node: ServerStore, places: list[int]) -> int:
            stored = await node.set_many([items[place] for place in places], ttl_ms, timeout_s)
            if stored < len(places):
                self._forget_slots()
            return stored

        return sum(await self._ask_nodes([key for key, _ in items], store, timeout_s))

    async def ping(self) -> None:
        self._forget_slots()
        await self._look_up_slots(self._timeout_s)

    async def close(self) -> None:
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    async def _ask_nodes(
        self, keys: Sequence[bytes], ask: Callable[[ServerStore, list[int]], Awaitable[T]], timeout_s: float
    ) -> list[T]:
        """The answers of the nodes that have the keys; ``ask`` gets the places of a node's keys."""
        await self._look_up_slots(timeout_s)
        places: dict[Host, list[int]] = {}
        for place, key in enumerate(keys):
            if (owner := self._owners[key_slot(key)]) is not None:
                places.setdefault(owner, []).append(place)
        if not places:
            raise StoreFailed("connection")
        answers = await asyncio.gather(
            *(ask(self._find_node(host), own) for host, own in places.items()), return_exceptions=True
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if not isinstance(failure, StoreFailed):
                raise failure
            self._forget_slots()
        if len(failures) == len(answers):
            raise failures[0]
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    def _find_node(self, host: Host) -> ServerStore:
        if host not in self._nodes:
            pool = make_node_pool(self._address, host, **connection_options(self._timeout_s, self._connections))
            self._nodes[host] = ServerStore(pool, self._timeout_s)
        return self._nodes[host]

    def _forget_slots(self) -> None:
        self._owners = []

    async def _look_up_slots(self, timeout_s: float) -> None:
        async with self._looking:
            if self._owners:
                return
            try:
                async with asyncio.timeout(timeout_s):
                    ranges = await self._finder.list_slots()
            except (exceptions.RedisError, OSError) as error:
                raise StoreFailed(classify_fault(error)) from None
            owners: list[Host | None] = [None] * SLOTS
            for first, last, host in ranges:
                owners[first : last + 1] = [host] * (last + 1 - first)
            self._owners = owners
