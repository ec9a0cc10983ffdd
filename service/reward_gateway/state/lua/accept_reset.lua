-- Begin a new epoch in a store that has lost its state.
-- KEYS: marker. ARGV: an id for the new epoch. Answer: 1, or 0 if nothing is lost.
if redis.call('HEXISTS', KEYS[1], 'id') == 1 then
  return 0
end
redis.call('HSET', KEYS[1], 'id', ARGV[1])
return 1
