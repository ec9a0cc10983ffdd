-- Count the jobs that are not finished, and forget those that have expired.
-- KEYS: live jobs by expiry, samples and begin of each. Answer: {expired, now (ms), what is kept of each live job}.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local expired = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
for _, member in ipairs(expired) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
end
return { #expired, now, redis.call('HVALS', KEYS[2]) }
