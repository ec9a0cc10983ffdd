-- Replace the text of an open session, which then lives on for its whole time.
-- KEYS: session, ends of the tenant's sessions. ARGV: name, text, time to live (ms). Answer: 1, or 0 if it is over.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local clock = redis.call('TIME')
local ttl = tonumber(ARGV[3])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ttl)
redis.call('ZADD', KEYS[2], clock[1] * 1000 + math.floor(clock[2] / 1000) + ttl, ARGV[1])
redis.call('PEXPIRE', KEYS[2], math.max(ttl, redis.call('PTTL', KEYS[2])))
return 1
