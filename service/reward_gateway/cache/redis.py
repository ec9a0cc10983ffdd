"""Raw scores in Redis or Valkey. A store that is down, slow, full or returns invalid data costs misses, never a score.

While the breaker is open no request waits for the store: lookups miss at once, and a background probe detects when the
store is back. What counts is whether lookups are answered within their limit: a store that is slow takes writes, which
have a longer limit, and would still delay every request.
"""

import asyncio
from collections.abc import Sequence

from redis.asyncio import ConnectionPool

from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.cluster import ClusterStore
from reward_gateway.cache.connection import ServerStore, Store, StoreFailed, connection_options
from reward_gateway.cache.entries import decode_entries, encode_entry
from reward_gateway.cache.lookups import IN_FLIGHT, Lookups
from reward_gateway.cache.port import Entry
from reward_gateway.cache.writer import Writer
from reward_gateway.observer import UNOBSERVED, CacheOperation, Observer
from reward_gateway.redis_servers.address import RedisAddress, parse_address
from reward_gateway.redis_servers.clients import make_pool

MAX_WAITING_BYTES = 32 << 20
WRITE_TIMEOUT_S = 1.0
LONGEST_PAUSE = 10


class RedisCache:
    """Implements :class:`reward_gateway.cache.port.ScoreCache`. Must be created inside a running event loop.

    Args:
        address: of the server, its Sentinels or its Cluster.
        ttl_s: seconds that an entry is kept.
        timeout_s: longest wait for a lookup in seconds, connecting included.
        breaker_failures: consecutive failures that open the breaker.
        breaker_pause_s: seconds before the first probe; doubled after each failed probe, up to ``LONGEST_PAUSE`` times
            as long.
        max_waiting_bytes: maximum size of the queue of writes; further entries are dropped.
    """

    def __init__(
        self,
        address: RedisAddress | str,
        *,
        ttl_s: float,
        timeout_s: float,
        breaker_failures: int = 5,
        breaker_pause_s: float = 0.5,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._ttl_ms = max(1, round(ttl_s * 1000))
        self._timeout_s = timeout_s
        self._store = open_store(address, timeout_s, connections=IN_FLIGHT + 2)  # lookups, the writer, a probe
        self._lookups = Lookups(self._fetch_values)
        self._writer = Writer(self._write_entries, max_waiting_bytes)
        self._breaker = Breaker(
            breaker_failures,
            self._loop.time,
            pause_s=breaker_pause_s,
            max_pause_s=LONGEST_PAUSE * breaker_pause_s,
            changed=self._observer.cache_breaker_changed,
        )
        self._probe_task: asyncio.Task[None] | None = None

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        if not keys:
            return []
        entries: list[Entry | None] = [None] * len(keys)
        seconds: float | None = None
        if self._is_reachable():
            started = self._loop.time()
            try:
                async with asyncio.timeout(self._timeout_s):
                    values = await self._lookups.get(keys)
            except TimeoutError:
                self._observer.cache_failed("get", "timeout")
            except StoreFailed as failure:
                self._observer.cache_failed("get", failure.kind)
            else:
                entries, corrupt = decode_entries(keys, values)
                if corrupt:
                    self._observer.cache_corrupt(corrupt)
            seconds = self._loop.time() - started
        misses = entries.count(None)
        self._observer.cache_looked_up("redis", len(keys) - misses, misses, seconds)
        return entries

    def put_later(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        if items and not (self._is_reachable() and self._writer.put(items)):
            self._observer.cache_dropped(len(items))

    async def close(self) -> None:
        await self._writer.close(WRITE_TIMEOUT_S)
        await self._lookups.close()
        if self._probe_task is not None:
            self._probe_task.cancel()
            await asyncio.gather(self._probe_task, return_exceptions=True)
        await self._store.close()

    def _is_reachable(self) -> bool:
        if self._breaker.begin_call() is not None:
            return True
        if (ticket := self._breaker.begin_probe()) is not None:
            self._probe_task = self._loop.create_task(self._probe_store(ticket))
        return False

    async def _probe_store(self, ticket: int) -> None:
        try:
            await self._store.ping()
        except StoreFailed as failure:
            self._record_outcome(failure, ticket)
        else:
            self._breaker.record_success()

    async def _fetch_values(self, keys: Sequence[bytes]) -> list[bytes | None]:
        ticket = self._breaker.begin_call()
        if ticket is None:  # the breaker opened while these keys waited
            return [None] * len(keys)
        try:
            values = await self._store.get_many(keys)
        except StoreFailed as failure:
            self._record_outcome(failure, ticket)
            raise
        self._breaker.record_success()
        return values

    async def _write_entries(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        ticket = self._breaker.begin_call()
        if ticket is None:
            self._observer.cache_dropped(len(items))
            return
        started = self._loop.time()
        encoded = [(key, encode_entry(key, entry)) for key, entry in items]
        try:
            written = await self._store.set_many(encoded, self._ttl_ms, WRITE_TIMEOUT_S)
        except StoreFailed as failure:
            if failure.unreachable:
                self._breaker.record_failure(ticket)
            self._report_failure("put", failure, len(items))
            return
        self._observer.cache_written(written, self._loop.time() - started)
        if written < len(items):
            self._observer.cache_dropped(len(items) - written)

    def _record_outcome(self, failure: StoreFailed, ticket: int) -> None:
        """A store that answers a lookup or a probe in time, even with a refusal, is reachable."""
        if failure.unreachable:
            self._breaker.record_failure(ticket)
        else:
            self._breaker.record_success()

    def _report_failure(self, operation: CacheOperation, failure: StoreFailed, entries: int) -> None:
        self._observer.cache_failed(operation, failure.kind)
        self._observer.cache_dropped(entries)


def open_store(address: RedisAddress | str, timeout_s: float, connections: int) -> Store:
    """The store at an address; nothing is asked yet."""
    address = parse_address(address) if isinstance(address, str) else address
    if address.kind == "cluster":
        return ClusterStore(address, timeout_s, connections)
    pool = make_pool(ConnectionPool, address, "cache", **connection_options(timeout_s, connections))
    return ServerStore(pool, timeout_s)
