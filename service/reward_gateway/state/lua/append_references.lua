-- Append packed doubles to groups and keep the newest of each.
-- KEYS: data, index, clock.  ARGV: name, cap, replace (0 or 1), then group and bytes by turns.
local cap_bytes = tonumber(ARGV[2]) * 8
for i = 4, #ARGV, 2 do
  local before = ARGV[3] == '1' and '' or redis.call('HGET', KEYS[1], ARGV[i]) or ''
  redis.call('HSET', KEYS[1], ARGV[i], string.sub(before .. ARGV[i + 1], -cap_bytes))
end
redis.call('HSET', KEYS[2], ARGV[1], redis.call('INCR', KEYS[3]))
return redis.status_reply('OK')
