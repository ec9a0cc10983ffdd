-- Note the body of a request that changes nothing; 0 if its key belongs to another body.
-- KEYS: attempt. ARGV: digest of the body, time to live (ms).
local known = redis.call('HGET', KEYS[1], 'digest')
if known then
  return known == ARGV[1] and 1 or 0
end
redis.call('HSET', KEYS[1], 'digest', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
