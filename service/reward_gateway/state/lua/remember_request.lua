-- Note the body of a request that changes nothing. Its key is new (1), has this body (2), or another (0).
-- KEYS: attempt. ARGV: digest of the body, time to live (ms).
local known = redis.call('HGET', KEYS[1], 'digest')
if known then
  return known == ARGV[1] and 2 or 0
end
redis.call('HSET', KEYS[1], 'digest', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
