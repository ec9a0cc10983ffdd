-- Copy state from before namespaces to the namespace that is about to write its name, unless it has been written since.
-- KEYS: index, clock, then by turns a legacy key and the key it is copied to. ARGV: name. Answer: 1 if copied.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return 0
end
for i = 3, #KEYS, 2 do
  redis.call('COPY', KEYS[i], KEYS[i + 1])
end
redis.call('HSET', KEYS[1], ARGV[1], redis.call('INCR', KEYS[2]))
return 1
