-- Replace a name's value: delete its keys, run the commands that write the new one, give it the next version.
-- KEYS: index, clock, the name's keys. ARGV: name; then for each command the number of its words, and the words.
for i = 3, #KEYS do
  redis.call('DEL', KEYS[i])
end
local at = 2
while ARGV[at] do
  local count = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + count))
  at = at + count + 1
end
redis.call('HSET', KEYS[1], ARGV[1], redis.call('INCR', KEYS[2]))
return redis.status_reply('OK')
