-- Let an open session live on for its whole time.
-- KEYS: session, ends of the tenant's sessions. ARGV: name, time to live (ms). Answer: 1, or 0 if it is over.
local ttl = tonumber(ARGV[2])
if redis.call('PEXPIRE', KEYS[1], ttl) == 0 then
  return 0
end
local clock = redis.call('TIME')
redis.call('ZADD', KEYS[2], clock[1] * 1000 + math.floor(clock[2] / 1000) + ttl, ARGV[1])
redis.call('PEXPIRE', KEYS[2], math.max(ttl, redis.call('PTTL', KEYS[2])))
return 1
