-- Take a callback that is due; another worker takes it again after the lease unless it is settled.
-- KEYS: callbacks by when they are due, how often each was taken. ARGV: lease (ms).
-- Answer: {member (tenant/job), how often it was taken}, or nothing.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local member = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
if not member then
  return false
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), member)
return { member, redis.call('HINCRBY', KEYS[2], member, 1) }
