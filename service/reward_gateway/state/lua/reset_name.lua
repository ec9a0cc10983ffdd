-- Delete a name.
-- KEYS: index, names whose legacy state is no longer read, the name's keys. ARGV: name, 1 if it has legacy state.
-- Answer: 1 if it existed.
local known = redis.call('HDEL', KEYS[1], ARGV[1])
for i = 3, #KEYS do
  redis.call('DEL', KEYS[i])
end
if ARGV[2] == '1' then
  redis.call('SADD', KEYS[2], ARGV[1])
end
return known
