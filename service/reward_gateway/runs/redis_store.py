"""The history of runs in Redis or Valkey, for all workers and pods."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect

from .store import (
    MOST_RUNS,
    NO_RUN,
    ROW_BYTES,
    Place,
    RunChange,
    RunName,
    StoredRun,
    Table,
    name_key,
    parse_name_key,
)

TAG = "runs"

PREFIX = f"reward_gateway:{{{TAG}}}"
"""How all keys begin; they have one hash tag, so that a script uses one slot of a cluster."""

TIMEOUT_S = 5.0

EVICT_AT_ONCE = 16
"""Runs that are forgotten in one step, where there is no room."""

_WRITE = """
-- Replace rows of a run, unless somebody else has changed it. 0: somebody has.
-- KEYS: the run, all runs by time, the caller's by time, bytes of all, its list of tables, tables.
-- ARGV: expected and new revision, head, name, time, bytes per row; then table, slot and row.
if (redis.call('HGET', KEYS[1], 'revision') or '') ~= ARGV[1] then
  return 0
end
local grown = #ARGV[3] - #(redis.call('HGET', KEYS[1], 'head') or '')
for i = 7, #ARGV, 3 do
  local key = KEYS[5 + tonumber(ARGV[i])]
  local before = redis.call('HGET', key, ARGV[i + 1])
  grown = grown + #ARGV[i + 2] + (before and -#before or tonumber(ARGV[6]))
  redis.call('HSET', key, ARGV[i + 1], ARGV[i + 2])
  redis.call('SADD', KEYS[5], key)
end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'head', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'bytes', grown)
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[4])
redis.call('INCRBY', KEYS[4], grown)
return 1
"""

_FORGET = """
-- Remove a run. KEYS: the run, all runs by time, the caller's by time, bytes of all, its tables. ARGV: name.
local bytes = tonumber(redis.call('HGET', KEYS[1], 'bytes') or '0')
local known = redis.call('EXISTS', KEYS[1])
for _, table in ipairs(redis.call('SMEMBERS', KEYS[5])) do
  redis.call('UNLINK', table)
end
redis.call('UNLINK', KEYS[1], KEYS[5])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('INCRBY', KEYS[4], -bytes)
return known
"""


class RedisRunStore:
    """Implements :class:`.store.RunStore` in Redis.

    Args:
        address: of the state store.
        max_bytes: of all runs; beyond it the ones seen least recently are forgotten.
    """

    shared = True
    away: tuple[type[Exception], ...] = (RedisError, OSError)

    def __init__(self, address: RedisAddress | str, max_bytes: int) -> None:
        # Typed as Any: redis-py's types mix text and bytes, and this client returns bytes.
        self._client: Any = connect(
            address, TAG, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 1)
        )
        self._max_bytes = max_bytes
        self._write = self._client.register_script(_WRITE)
        self._forget = self._client.register_script(_FORGET)

    async def read_places(self, wanted: Sequence[tuple[RunName, Iterable[Place]]]) -> list[StoredRun]:
        if not wanted:
            return []
        pipeline = self._client.pipeline(transaction=False)
        asked = []
        for name, places in wanted:
            tables: dict[Table, list[int]] = {}
            for table, slot in places:
                tables.setdefault(table, []).append(slot)
            asked.append(tables)
            pipeline.hmget(_run_key(name), "revision", "head")  # first: whoever changes rows changes this
            for table, slots in tables.items():
                pipeline.hmget(_table_key(name, table), slots)
        answers = iter(await self._answer(pipeline))
        found = []
        for tables in asked:
            revision, head = next(answers)
            rows: dict[Place, bytes] = {}
            for table, slots in tables.items():
                rows |= {(table, slot): row for slot, row in zip(slots, next(answers), strict=True) if row is not None}
            found.append(StoredRun(revision, head, rows) if revision else NO_RUN)
        return found

    async def read_tables(self, name: RunName, tables: Sequence[Table]) -> StoredRun:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hmget(_run_key(name), "revision", "head")
        for table in tables:
            pipeline.hgetall(_table_key(name, table))
        (revision, head), *held = await self._answer(pipeline)
        rows = {
            (table, int(slot)): row for table, slots in zip(tables, held, strict=True) for slot, row in slots.items()
        }
        return StoredRun(revision, head, rows) if revision else NO_RUN

    async def write(self, changes: Sequence[RunChange]) -> list[bool]:
        pipeline = self._client.pipeline(transaction=False)
        for change in changes:
            tables = {table: k for k, table in enumerate(dict.fromkeys(table for table, _ in change.rows), start=1)}
            keys = [*_shared_keys(change.name), *(_table_key(change.name, table) for table in tables)]
            arguments: list[Any] = [change.expected, change.revision, change.head, name_key(change.name)]
            arguments += [repr(change.seen), ROW_BYTES]
            for (table, slot), row in change.rows.items():
                arguments += [tables[table], slot, row]
            await self._write(keys=keys, args=arguments, client=pipeline)
        for caller in (callers := list(dict.fromkeys(change.name.caller for change in changes))):
            pipeline.zcard(_caller_key(caller))
        pipeline.get(f"{PREFIX}:bytes")
        answers = await self._answer(pipeline)
        written = [bool(answer) for answer in answers[: len(changes)]]
        for caller, count in zip(callers, answers[len(changes) :], strict=False):
            if count > MOST_RUNS:
                await self._forget_oldest(_caller_key(caller), count - MOST_RUNS)
        if int(answers[-1] or 0) > self._max_bytes:
            await self._make_room()
        return written

    async def list_runs(self, caller: str | None, before: tuple[float, str] | None, limit: int) -> list[StoredRun]:
        key = f"{PREFIX}:seen" if caller is None else _caller_key(caller)
        begin = "+inf" if before is None else repr(before[0])
        names: list[RunName] = []
        offset = 0
        while len(names) < limit:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.zrange(key, begin, "-inf", desc=True, byscore=True, withscores=True, offset=offset, num=limit)
            (page,) = await self._answer(pipeline)
            offset += len(page)
            entries = [(score, member.decode()) for member, score in page]
            names += [parse_name_key(member) for score, member in entries if before is None or (score, member) < before]
            if len(page) < limit:
                break
        found = await self.read_places([(name, ()) for name in names[:limit]])
        return [run for run in found if run.revision]

    async def forget(self, name: RunName) -> bool:
        async with asyncio.timeout(TIMEOUT_S):
            return bool(await self._forget(keys=_shared_keys(name), args=[name_key(name)]))

    async def close(self) -> None:
        await self._client.aclose()

    async def _make_room(self) -> None:
        """Forget the runs seen least recently until all fit, but never the last one."""
        while True:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.get(f"{PREFIX}:bytes")
            pipeline.zcard(f"{PREFIX}:seen")
            size, count = await self._answer(pipeline)
            if int(size or 0) <= self._max_bytes or count < 2:
                return
            await self._forget_oldest(f"{PREFIX}:seen", min(max(1, count // EVICT_AT_ONCE), count - 1))

    async def _forget_oldest(self, key: str, count: int) -> None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zrange(key, 0, count - 1)
        (members,) = await self._answer(pipeline)
        for member in members:
            await self.forget(parse_name_key(member.decode()))

    @staticmethod
    async def _answer(pipeline: Any) -> list[Any]:
        async with asyncio.timeout(TIMEOUT_S):
            answers: list[Any] = await pipeline.execute()
        return answers


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _run_key(name: RunName) -> str:
    return f"{PREFIX}:run:{_digest(*name)}"


def _table_key(name: RunName, table: Table) -> str:
    return f"{PREFIX}:rows:{_digest(*name)}:{_digest(table.recipe)}:{table.bucket}"


def _caller_key(caller: str) -> str:
    return f"{PREFIX}:seen-of:{caller}"


def _shared_keys(name: RunName) -> list[str]:
    return [_run_key(name), f"{PREFIX}:seen", _caller_key(name.caller), f"{PREFIX}:bytes", f"{_run_key(name)}:tables"]
