
end
-- Stands behind every script that changes state. Answer: {the writes that the store has counted, the script's answer}.
local answer = change()
if answer == nil then
  answer = false
end
-- A store that is full takes no more from a script that has changed nothing: that one needs no count.
local writes = redis.pcall('HINCRBY', marker, 'writes', 1)
if type(writes) ~= 'number' then
  writes = tonumber(redis.call('HGET', marker, 'writes') or '0')
end
return { writes, answer }
