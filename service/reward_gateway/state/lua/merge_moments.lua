-- Merge a batch's moments into a stream's (Chan's parallel update); gives the stream's moments after it.
-- KEYS: data, index, clock.  ARGV: name, count, mean, m2.
local stored = redis.call('HMGET', KEYS[1], 'count', 'mean', 'm2')
local na, mean_a, m2_a = tonumber(stored[1] or '0'), tonumber(stored[2] or '0'), tonumber(stored[3] or '0')
local nb, mean_b, m2_b = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local count, mean, m2 = na, mean_a, m2_a
if nb > 0 then
  count = na + nb
  local delta = mean_b - mean_a
  mean = mean_a + delta * nb / count
  m2 = m2_a + m2_b + delta * delta * na * nb / count
end

-- 17 significant digits carry a double without loss.
local after = { string.format('%.17g', count), string.format('%.17g', mean), string.format('%.17g', m2) }
if nb > 0 then
  redis.call('HSET', KEYS[1], 'count', after[1], 'mean', after[2], 'm2', after[3])
  redis.call('HSET', KEYS[2], ARGV[1], redis.call('INCR', KEYS[3]))
end
return after
