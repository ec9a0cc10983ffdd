-- Record what was scored ahead of a piece, once; after the last of them, put the piece that combines all into line.
-- KEYS: job, inputs, what was scored ahead, stream of the lane, lanes, live jobs by expiry. ARGV: piece, entry, job,
-- member (tenant/job), lane, what was scored, name of the piece that combines.
-- Answer: 1 if it was recorded; 0 if something was before, or the job is gone.
redis.pcall('XACK', KEYS[4], 'workers', ARGV[2])
redis.call('XDEL', KEYS[4], ARGV[2])
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 or redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then
  return 0
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[6])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local expires = tonumber(redis.call('HGET', KEYS[1], 'expires'))
redis.call('HSET', KEYS[1], 'progress', now)
redis.call('ZADD', KEYS[6], 'XX', now + expires, ARGV[4])
redis.call('PEXPIRE', KEYS[1], 2 * expires)
redis.call('PEXPIRE', KEYS[2], expires)
redis.call('PEXPIRE', KEYS[3], expires)
if redis.call('HLEN', KEYS[3]) == redis.call('HLEN', KEYS[2]) then
  redis.call('HSET', KEYS[2], ARGV[7], '')
  redis.pcall('XGROUP', 'CREATE', KEYS[4], 'workers', '0', 'MKSTREAM')
  redis.call('XADD', KEYS[4], '*', 'job', ARGV[3], 'piece', ARGV[7])
  local first = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')
  redis.call('ZADD', KEYS[5], 'NX', first[2] or 0, ARGV[5])
  redis.call('PUBLISH', KEYS[5], 'work')
end
return 1
