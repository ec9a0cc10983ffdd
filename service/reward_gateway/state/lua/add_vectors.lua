-- Append packed vectors and keep the newest. Gives the bytes a vector of the archive; unlike them, nothing is added.
-- KEYS: data, index, clock.  ARGV: name, cap, vectors.
local size = #ARGV[3]
local first = redis.call('LINDEX', KEYS[1], 0)
if first and #first ~= size then
  return #first
end
for i = 3, #ARGV do
  redis.call('RPUSH', KEYS[1], ARGV[i])
end
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)
redis.call('HSET', KEYS[2], ARGV[1], redis.call('INCR', KEYS[3]))
return size
