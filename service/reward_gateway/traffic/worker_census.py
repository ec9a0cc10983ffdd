"""Counts the gateway processes that share a state store: each announces itself there every few seconds."""

import asyncio
import contextlib
import os

from redis.exceptions import RedisError

from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect
from reward_gateway.tasks import end_task, repeat

TAG = "workers"

KEY = f"reward_gateway:{{{TAG}}}"
EVERY_S = 5.0
LIFETIME_S = 20.0
"""A process that has not announced itself for this long is no longer counted."""

TIMEOUT_S = 2.0

_ANNOUNCE = """
-- Announce one process, remove silent ones, and return the count. Times are those of the server's clock.
-- KEYS: the census (process -> time in microseconds). ARGV: process, lifetime in microseconds.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%.0f', now - ARGV[2]))
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], 3600000)
return redis.call('ZCARD', KEYS[1])
"""


class WorkerCensus:
    """Announces this process and remembers the last count.

    Args:
        url: ``redis://`` address of the state store.
        assumed: the number of processes until the first count.
        lifetime_s: how long an announcement counts.

    Attributes:
        count: known processes, including this one.
    """

    def __init__(self, address: RedisAddress | str, assumed: int, lifetime_s: float = LIFETIME_S) -> None:
        self.count = assumed
        self._name = os.urandom(12).hex()
        self._lifetime_us = round(lifetime_s * 1e6)
        self._client = connect(address, TAG, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)
        self._announce = self._client.register_script(_ANNOUNCE)
        self._task: asyncio.Task[None] | None = None

    async def announce(self) -> None:
        """Announce this process and update the count. Raises RedisError or OSError, which keep the last count."""
        self.count = int(await self._announce(keys=[KEY], args=[self._name, self._lifetime_us]))

    def start(self) -> None:
        """Start announcing in the background."""
        if self._task is None:
            self._task = asyncio.create_task(
                repeat(self._announce_if_reachable, EVERY_S, "worker-census"), name="worker-census"
            )

    async def _announce_if_reachable(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self.announce()

    async def close(self) -> None:
        """Remove this process from the count and close the connection."""
        if self._task is not None:
            await end_task(self._task)
            with contextlib.suppress(RedisError, OSError):
                await self._client.zrem(KEY, self._name)
        await self._client.aclose()
