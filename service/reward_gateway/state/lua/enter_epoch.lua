-- Compare what a process remembers of the store with the store's marker; begin the first epoch of a new store.
-- KEYS: marker (hash: id, absent if the state is lost; replaces:ID for the epochs before). ARGV: the id that the process
-- remembers ('': none), an id for a new epoch.
-- Answer: {the id, or '' if the state is lost, the store's clock in microseconds as text}.
local remembered = ARGV[1]
local id = redis.call('HGET', KEYS[1], 'id')
if not id and remembered == '' and redis.call('EXISTS', KEYS[1]) == 0 then
  id = ARGV[2]
  redis.call('HSET', KEYS[1], 'id', id)
elseif remembered ~= '' and id ~= remembered and redis.call('HEXISTS', KEYS[1], 'replaces:' .. remembered) == 0 then
  -- What this process knew is gone. Processes that know nothing, or came to this store since, must hear of it too.
  redis.call('HSET', KEYS[1], 'replaces:' .. remembered, 1)
  if id then
    redis.call('HSET', KEYS[1], 'replaces:' .. id, 1)
    redis.call('HDEL', KEYS[1], 'id')
  end
  id = false
end
local clock = redis.call('TIME')
return { id or '', string.format('%.0f', clock[1] * 1000000 + clock[2]) }
