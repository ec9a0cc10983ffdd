-- Join the open cohort of a name, or open one; close it when it is full.
-- KEYS: open. ARGV: candidate id, payload, size, timeout (ms), prefix of member lists, channel.
-- Answer: {cohort id, place from 0, milliseconds until it closes}.
local id = redis.call('GET', KEYS[1])
local left = tonumber(ARGV[4])
if id then
  left = redis.call('PTTL', KEYS[1])
else
  id = ARGV[1]
  redis.call('SET', KEYS[1], id, 'PX', left)
end
local members = ARGV[5] .. id
local size = redis.call('RPUSH', members, ARGV[2])
redis.call('PEXPIRE', members, tonumber(ARGV[4]) + 60000)
if size >= tonumber(ARGV[3]) then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[6], id)
  left = 0
end
return {id, size - 1, left}
