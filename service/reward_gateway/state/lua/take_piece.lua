-- Lease a piece of a job: one whose worker has lost it, else the first of the lane that is furthest behind. The job's
-- next piece takes its place at the end of the lane, so that the jobs of a lane take turns.
-- The keys of lanes and jobs follow from the names of lanes; all have the hash tag of the first key.
-- A parked piece whose time is up takes its place at the end of its lane, too.
-- KEYS: lanes, parked pieces. ARGV: worker, lease (ms), prefix of lanes, prefix of tenants, then priorities, each with its weight.
-- Answer: {tenant, job, piece, head, input, how often it was leased, priority, entry, run}, or nothing.
local weights = {}
for i = 5, #ARGV, 2 do
  weights[ARGV[i]] = tonumber(ARGV[i + 1])
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for _, parked in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 64)) do
  local job, piece, lane = parked:match('^(%S+) (%S+) (.*)$')
  redis.call('ZREM', KEYS[2], parked)
  redis.pcall('XGROUP', 'CREATE', ARGV[3] .. lane, 'workers', '0', 'MKSTREAM')
  redis.call('XADD', ARGV[3] .. lane, '*', 'job', job, 'piece', piece)
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  redis.call('ZADD', KEYS[1], 'NX', first[2] or 0, lane)
end
for _, lane in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local stream = ARGV[3] .. lane
  local priority, tenant = lane:match('^([^/]+)/(.*)$')
  local entry = true
  while entry do
    local lost = redis.call('XAUTOCLAIM', stream, 'workers', ARGV[1], ARGV[2], '0-0', 'COUNT', 1)[2][1]
    entry = lost
    if not entry then
      local fresh = redis.call('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', 1, 'STREAMS', stream, '>')
      entry = fresh and fresh[1][2][1]
    end
    if entry then
      local job, piece = entry[2][2], entry[2][4]
      local base = ARGV[4] .. tenant .. '/jobs:'
      local input = redis.call('HGET', base .. 'in:' .. job, piece)
      if input and redis.call('HEXISTS', base .. 'ahead:' .. job, piece) == 1 then
        input = false -- scored ahead: it is kept for the piece that combines all
      end
      if not lost then
        local known = redis.call('HMGET', base .. 'job:' .. job, 'next', 'pieces')
        if known[1] and tonumber(known[1]) < tonumber(known[2]) then
          redis.call('XADD', stream, '*', 'job', job, 'piece', known[1])
          redis.call('HINCRBY', base .. 'job:' .. job, 'next', 1)
        end
      end
      if input then
        local known = redis.call('HMGET', base .. 'job:' .. job, 'head', 'status', 'run')
        if known[2] == 'queued' then
          redis.call('HSET', base .. 'job:' .. job, 'status', 'running')
        end
        redis.call('ZINCRBY', KEYS[1], 1 / weights[priority], lane)
        local times = redis.call('XPENDING', stream, 'workers', entry[1], entry[1], 1)[1][4]
        return { tenant, job, piece, known[1], input, times, priority, entry[1], known[3] }
      end
      redis.call('XACK', stream, 'workers', entry[1])
      redis.call('XDEL', stream, entry[1])
    end
  end
  if redis.call('XLEN', stream) == 0 then
    redis.call('ZREM', KEYS[1], lane)
    redis.call('DEL', stream)
  end
end
return false
