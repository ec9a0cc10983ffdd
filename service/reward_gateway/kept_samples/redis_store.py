"""Kept samples in Redis or Valkey, for all workers and pods, under a prefix of their own."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect

from .kinds import MARKED, RESERVOIR
from .store import NEVER, SAMPLE_BYTES, SPARED, Bounds, IndexRow, NewSample

TAG = "samples"

PREFIX = f"reward_gateway:{{{TAG}}}"
"""How all keys begin; they have one hash tag, so that a script uses one slot of a cluster."""

TIMEOUT_S = 5.0

ADD_BYTES = 1 << 20
"""Bytes of samples that one script adds."""

READ_AT_ONCE = 200
"""Samples that are read in one step."""

_KEYS = tuple(f"{PREFIX}:{name}" for name in ("bodies", "index", "sets", "marks", "time", "bytes"))
_RANKS = f"{PREFIX}:rank:"

_COMMON = """
-- KEYS: bodies, index, sets and marks by id; ids by time; bytes of all. ARGV[1]: what the names of ranked sets begin
-- with, ARGV[2]: bytes per sample beside its own.
local BODIES, INDEX, SETS, MARKS, TIME, BYTES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local RANK, OWN = ARGV[1], tonumber(ARGV[2])

local function sets_of(id)
  local found = {}
  for set in string.gmatch(redis.call('HGET', SETS, id) or '', '%S+') do
    found[#found + 1] = set
  end
  return found
end

local function remove(id)
  local body = redis.call('HGET', BODIES, id)
  if not body then
    return 0
  end
  local size = #body + #(redis.call('HGET', INDEX, id) or '') + OWN
  for _, set in ipairs(sets_of(id)) do
    redis.call('ZREM', RANK .. set, id)
  end
  for _, key in ipairs({BODIES, INDEX, SETS, MARKS}) do
    redis.call('HDEL', key, id)
  end
  redis.call('ZREM', TIME, id)
  redis.call('INCRBY', BYTES, -size)
  return 1
end

local function leave(id, set)
  redis.call('ZREM', RANK .. set, id)
  local rest = {}
  for _, other in ipairs(sets_of(id)) do
    if other ~= set then
      rest[#rest + 1] = other
    end
  end
  if #rest == 0 then
    remove(id)
  else
    redis.call('HSET', SETS, id, table.concat(rest, ' '))
  end
end

local function lowest(set)
  return redis.call('ZRANGE', RANK .. set, 0, 0)[1]
end
"""

_ADD = (
    _COMMON
    + """
-- ARGV[3..8]: now, seconds that samples are kept, their most, most bytes, the reservoir, how many old ones are looked
-- at; then per sample: id, time, index, body, places, and set, rank and capacity of each.
local now, ttl, most, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local reservoir, spared = ARGV[7], tonumber(ARGV[8])
local lives = math.ceil(ttl)
local i = 9
while i <= #ARGV do
  local id, places, sets = ARGV[i], tonumber(ARGV[i + 4]), {}
  redis.call('HSET', INDEX, id, ARGV[i + 2])
  if redis.call('HSET', BODIES, id, ARGV[i + 3]) == 1 then  -- not where an answer was lost, and this is sent again
    redis.call('INCRBY', BYTES, #ARGV[i + 2] + #ARGV[i + 3] + OWN)
  end
  redis.call('ZADD', TIME, ARGV[i + 1], id)
  local first = i + 5
  i = first + 3 * places
  for k = first, i - 1, 3 do
    redis.call('ZADD', RANK .. ARGV[k], ARGV[k + 1], id)
    redis.call('EXPIRE', RANK .. ARGV[k], lives)
    sets[#sets + 1] = ARGV[k]
  end
  redis.call('HSET', SETS, id, table.concat(sets, ' '))
  for k = first, i - 1, 3 do
    while redis.call('ZCARD', RANK .. ARGV[k]) > tonumber(ARGV[k + 2]) do
      leave(lowest(ARGV[k]), ARGV[k])
    end
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', TIME, '-inf', now - ttl)) do
  remove(id)
end
while true do
  local count = redis.call('ZCARD', TIME)
  if count == 0 or (count <= most and tonumber(redis.call('GET', BYTES) or '0') <= most_bytes) then
    break
  end
  if redis.call('ZCARD', RANK .. reservoir) * 2 > count then
    leave(lowest(reservoir), reservoir)
  else
    local oldest = redis.call('ZRANGE', TIME, 0, spared - 1)
    local chosen = oldest[1]
    for _, id in ipairs(oldest) do
      if redis.call('HEXISTS', MARKS, id) == 0 then
        chosen = id
        break
      end
    end
    remove(chosen)
  end
end
for _, key in ipairs(KEYS) do
  redis.call('EXPIRE', key, lives)
end
"""
)

_DELETE = (
    _COMMON
    + """
-- ARGV[3..]: ids.
local found = 0
for i = 3, #ARGV do
  found = found + remove(ARGV[i])
end
return found
"""
)

_MARK = (
    _COMMON
    + """
-- ARGV[3..7]: id, mark, the set of what is marked, now, seconds that samples are kept.
local id, set = ARGV[3], ARGV[5]
if redis.call('HEXISTS', BODIES, id) == 0 then
  return 0
end
if ARGV[4] == '' then
  redis.call('HDEL', MARKS, id)
else
  redis.call('HSET', MARKS, id, ARGV[4])
  redis.call('EXPIRE', MARKS, math.ceil(tonumber(ARGV[7])))
end
if redis.call('ZADD', RANK .. set, 'NX', ARGV[6], id) == 1 then
  redis.call('HSET', SETS, id, redis.call('HGET', SETS, id) .. ' ' .. set)
  redis.call('EXPIRE', RANK .. set, math.ceil(tonumber(ARGV[7])))
end
return 1
"""
)


class RedisSampleStore:
    """Implements :class:`.store.SampleStore` in Redis.

    Every write has all keys expire together when no sample can be left, so that nothing stays where no gateway runs.

    Args:
        address: of the state store.
    """

    shared = True
    away: tuple[type[Exception], ...] = (RedisError, OSError)

    def __init__(self, address: RedisAddress | str, bounds: Bounds) -> None:
        # Typed as Any: redis-py's types mix text and bytes, and this client returns bytes.
        self._client: Any = connect(
            address, TAG, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 1)
        )
        self._bounds = bounds
        self._add, self._delete, self._mark = map(self._client.register_script, (_ADD, _DELETE, _MARK))

    async def read_thresholds(self, sets: Sequence[tuple[str, int]], now: float) -> list[float]:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zcard(_KEYS[4])
        for name, _ in sets:
            pipeline.zcard(_RANKS + name)
            pipeline.zrange(_RANKS + name, 0, 0, withscores=True)
        count, *answers = await self._answer(pipeline)
        found = []
        for (name, capacity), size, lowest in zip(sets, answers[::2], answers[1::2], strict=True):
            is_full = size >= capacity or (name == RESERVOIR and count >= self._bounds.count)
            found.append(float(lowest[0][1]) if lowest and is_full else NEVER)
        return found

    async def add(self, samples: Sequence[NewSample], now: float) -> None:
        bounds = self._bounds
        begin = [_RANKS, SAMPLE_BYTES, repr(now), repr(bounds.ttl_s), bounds.count, bounds.bytes, RESERVOIR, SPARED]
        arguments, size = list(begin), 0
        for sample in samples:
            arguments += [sample.id, repr(sample.t), sample.index, sample.body, len(sample.places)]
            for place in sample.places:
                arguments += [place.set, repr(place.rank), place.capacity]
            size += len(sample.body)
            if size >= ADD_BYTES:
                await self._run(self._add, arguments)
                arguments, size = list(begin), 0
        if len(arguments) > len(begin):
            await self._run(self._add, arguments)

    async def read_index(self, now: float) -> list[IndexRow]:
        pipeline = self._client.pipeline(transaction=True)
        for key in _KEYS[1:4]:
            pipeline.hgetall(key)
        index, sets, marks = await self._answer(pipeline)
        return [
            IndexRow(id.decode(), row, sets.get(id, b"").decode().split(), marks.get(id, b"").decode())
            for id, row in index.items()
        ]

    async def read_bodies(self, ids: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = []
        for start in range(0, len(ids), READ_AT_ONCE):
            async with asyncio.timeout(TIMEOUT_S):
                found += await self._client.hmget(_KEYS[0], ids[start : start + READ_AT_ONCE])
        return found

    async def mark(self, id: str, mark: str, now: float) -> bool:
        return bool(await self._run(self._mark, [_RANKS, SAMPLE_BYTES, id, mark, MARKED, now, self._bounds.ttl_s]))

    async def delete(self, ids: Sequence[str]) -> int:
        found = 0
        for start in range(0, len(ids), READ_AT_ONCE):
            some = ids[start : start + READ_AT_ONCE]
            found += int(await self._run(self._delete, [_RANKS, SAMPLE_BYTES, *some]))
        return found

    async def close(self) -> None:
        await self._client.aclose()

    @staticmethod
    async def _run(script: Any, arguments: list[Any]) -> Any:
        async with asyncio.timeout(TIMEOUT_S):
            return await script(keys=_KEYS, args=arguments)

    @staticmethod
    async def _answer(pipeline: Any) -> list[Any]:
        async with asyncio.timeout(TIMEOUT_S):
            answers: list[Any] = await pipeline.execute()
        return answers
