-- Keep a job and put it in line, unless its key was sent before or the line is full.
-- KEYS: job, inputs, lanes, live jobs by expiry, samples and begin of each, idempotency key, stream of the lane,
-- results. ARGV: lane, member (tenant/job), job, digest of the body ('': it has no key), most samples, most jobs, time until it expires (ms),
-- head, samples, run, whether its results go to the run's queue, whether they are delivered together, tenant, whether its end
-- is told to somebody, then the inputs of its pieces.
-- Answer: {'new' | 'same' | 'conflict' | 'full' | 'share', job}.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local expires, samples = tonumber(ARGV[7]), tonumber(ARGV[9])
if ARGV[4] ~= '' then
  local known = redis.call('GET', KEYS[6])
  if known then
    local digest, job = known:match('^(%S+) (%S+)$')
    return { digest == ARGV[4] and 'same' or 'conflict', job }
  end
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now)) do
  redis.call('ZREM', KEYS[4], member)
  redis.call('HDEL', KEYS[5], member)
end
local held = redis.call('HGETALL', KEYS[5])
local all, own, owner = 0, 0, ARGV[13] .. '/'
for i = 1, #held, 2 do
  local live = tonumber(held[i + 1]:match('^%d+'))
  all = all + live
  if held[i]:sub(1, #owner) == owner then
    own = own + live
  end
end
if all + samples > tonumber(ARGV[5]) or #held / 2 >= tonumber(ARGV[6]) then
  return { 'full', '' }
end
if own + samples > tonumber(ARGV[5]) - all then
  return { 'share', '' }
end
redis.call(
  'HSET', KEYS[1], 'head', ARGV[8], 'samples', samples, 'completed', 0, 'status', 'queued', 'run', ARGV[10],
  'queue', ARGV[11], 'together', ARGV[12], 'expires', expires, 'created', now, 'progress', now, 'lane', ARGV[1],
  'pieces', #ARGV - 14, 'next', 1, 'callback', ARGV[14]
)
for i = 15, #ARGV do
  redis.call('HSET', KEYS[2], i - 15, ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], 2 * expires)
redis.call('PEXPIRE', KEYS[2], expires)
redis.call('ZADD', KEYS[4], now + expires, ARGV[2])
redis.call('HSET', KEYS[5], ARGV[2], samples .. ' ' .. now)
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[6], ARGV[4] .. ' ' .. ARGV[3], 'PX', expires)
end
redis.pcall('XGROUP', 'CREATE', KEYS[7], 'workers', '0', 'MKSTREAM')
redis.call('XADD', KEYS[7], '*', 'job', ARGV[3], 'piece', 0)
local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
redis.call('ZADD', KEYS[3], 'NX', first[2] or 0, ARGV[1])
redis.call('PUBLISH', KEYS[3], 'work')
return { 'new', ARGV[3] }
