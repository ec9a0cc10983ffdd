-- Record the results of a piece, once: the first that come are the answer.
-- KEYS: job, inputs, results, queue of the run, stream of the lane, live jobs by expiry, samples of live jobs, lanes,
-- callbacks, parked pieces, what was scored ahead.
-- ARGV: piece, entry, job, member (tenant/job), how it came ('', 'cancelled' or 'failed') and the error, what its groups
-- are like ('': nothing is said of groups), how many deliveries, then the rows and the payload of each, then names of
-- usage, each with its number.
-- Answer: 1 if they were recorded; 0 if others were, or the job is gone.
if ARGV[2] ~= '' then
  redis.call('XACK', KEYS[5], 'workers', ARGV[2])
  redis.call('XDEL', KEYS[5], ARGV[2])
end
if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then
  return 0
end
redis.call('ZREM', KEYS[10], ARGV[3] .. ' ' .. ARGV[1] .. ' ' .. redis.call('HGET', KEYS[1], 'lane'))
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'samples', 'run', 'queue', 'together', 'expires')
local samples, expires = tonumber(known[1]), tonumber(known[5])
local queue, together = known[3] == '1', known[4] == '1'
local last, added = 9 + 2 * tonumber(ARGV[8]), 0
local function put(place, rows)
  redis.call('XADD', KEYS[4], '*', 'job', ARGV[3], 'rows', rows, 'place', place)
end
for i = 9, last - 1, 2 do
  added = added + tonumber(ARGV[i])
  local place = redis.call('XADD', KEYS[3], '*', 'rows', ARGV[i], 'results', ARGV[i + 1])
  if queue and not together then
    put(place, ARGV[i])
  end
end
for i = last, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], 'usage:' .. ARGV[i], ARGV[i + 1])
end
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[1], 'groups:' .. ARGV[1], ARGV[7])
end
if ARGV[5] == 'cancelled' then
  redis.call('HSET', KEYS[1], 'cancelled', 1)
end
local completed = redis.call('HINCRBY', KEYS[1], 'completed', added)
redis.call('HSET', KEYS[1], 'progress', now)
if completed >= samples or ARGV[5] == 'failed' then
  local status = ARGV[5]
  if status ~= 'failed' then
    status = redis.call('HEXISTS', KEYS[1], 'cancelled') == 1 and 'cancelled' or 'done'
  end
  redis.call('HSET', KEYS[1], 'status', status, 'error', ARGV[6])
  redis.call('DEL', KEYS[2], KEYS[11])
  redis.call('ZREM', KEYS[6], ARGV[4])
  redis.call('HDEL', KEYS[7], ARGV[4])
  if redis.call('HGET', KEYS[1], 'callback') == '1' then
    redis.call('ZADD', KEYS[9], now, ARGV[4])
  end
  if queue and together then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[3], '-', '+')) do
      put(entry[1], entry[2][2])
    end
  end
else
  redis.call('ZADD', KEYS[6], 'XX', now + expires, ARGV[4])
end
redis.call('PEXPIRE', KEYS[1], 2 * expires)
redis.call('PEXPIRE', KEYS[2], expires)
redis.call('PEXPIRE', KEYS[3], expires)
if queue and redis.call('PTTL', KEYS[4]) < expires then
  redis.call('PEXPIRE', KEYS[4], expires)
end
redis.call('PUBLISH', KEYS[8], ARGV[4])
if queue then
  redis.call('PUBLISH', KEYS[8], ARGV[4]:match('^(.*)/') .. '/' .. known[2] .. '/results')
end
return 1
