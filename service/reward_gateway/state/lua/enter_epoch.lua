-- Compare what a process remembers of the store with the store's marker; begin the first epoch of a new store.
-- KEYS: marker (hash: id, absent if the state is lost; writes, how many were counted; replaces:ID for the epochs before).
-- ARGV: the id that the process remembers ('': none), the writes that it has seen in that epoch, an id for a new epoch.
-- Answer: {the id, or '' if the state is lost, the writes, the store's clock in microseconds as text}.
local remembered, seen = ARGV[1], tonumber(ARGV[2])
local stored = redis.call('HMGET', KEYS[1], 'id', 'writes')
local id, writes = stored[1], tonumber(stored[2] or '0')
if not id and remembered == '' and redis.call('EXISTS', KEYS[1]) == 0 then
  id = ARGV[3]
  redis.call('HSET', KEYS[1], 'id', id)
elseif
  remembered ~= ''
  and (id == remembered and writes < seen
    or id ~= remembered and redis.call('HEXISTS', KEYS[1], 'replaces:' .. remembered) == 0)
then
  -- What this process knew is gone: all of it, or the last of it, as when a replica that lagged behind took over.
  -- Processes that know nothing, or came to this store since, must hear of it too.
  redis.call('HSET', KEYS[1], 'replaces:' .. remembered, 1)
  if id then
    redis.call('HSET', KEYS[1], 'replaces:' .. id, 1)
    redis.call('HDEL', KEYS[1], 'id')
  end
  id = false
end
local clock = redis.call('TIME')
return { id or '', writes, string.format('%.0f', clock[1] * 1000000 + clock[2]) }
