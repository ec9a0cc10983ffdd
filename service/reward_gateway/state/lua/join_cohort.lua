-- Join the open cohort of a name, or open one; close it when it is full. A member that has joined before is where it was.
-- KEYS: open, place of the member. ARGV: candidate id, payload, size, timeout (ms), prefix of member lists, channel,
-- how long a member is known (ms; 0: it has no name of its own).
-- Answer: {cohort id, place from 0, milliseconds until it closes}.
local open = redis.call('GET', KEYS[1])
local known_ms = tonumber(ARGV[7])
if known_ms > 0 then
  local id = redis.call('HGET', KEYS[2], 'cohort')
  if id and redis.call('EXISTS', ARGV[5] .. id) == 1 then
    return { id, tonumber(redis.call('HGET', KEYS[2], 'place')), open == id and redis.call('PTTL', KEYS[1]) or 0 }
  end
end
local id, left = open, tonumber(ARGV[4])
if id then
  left = redis.call('PTTL', KEYS[1])
else
  id = ARGV[1]
  redis.call('SET', KEYS[1], id, 'PX', left)
end
local members = ARGV[5] .. id
local size = redis.call('RPUSH', members, ARGV[2])
local kept_ms = math.max(tonumber(ARGV[4]) + 60000, known_ms)
if kept_ms > redis.call('PTTL', members) then
  redis.call('PEXPIRE', members, kept_ms)
end
if known_ms > 0 then
  redis.call('HSET', KEYS[2], 'cohort', id, 'place', size - 1)
  redis.call('PEXPIRE', KEYS[2], kept_ms)
end
if size >= tonumber(ARGV[3]) then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[6], id)
  left = 0
end
return { id, size - 1, left }
